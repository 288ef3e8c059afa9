#!/usr/bin/env bash
# Gathers English text of this machine (Debian packages) into a folder: jargon-text (public domain), Jane Austen's
# novels from r-cran-janeaustenr (public domain), the kernel's documentation from linux-doc (GPL-2.0).
#   apt-get install --no-install-recommends jargon-text r-cran-janeaustenr linux-doc
#   docs/studies/text.sh build/text
set -euo pipefail
out=$1
mkdir -p "$out"
zcat -f /usr/share/doc/jargon-text/jargon.txt* | iconv -f utf-8 -t utf-8 -c > "$out/jargon.txt"
Rscript -e 'library(janeaustenr); writeLines(austen_books()$text)' > "$out/austen.txt"
documentation=$(ls -d /usr/share/doc/linux-doc*/Documentation | tail -n 1)
for part in admin-guide process core-api networking filesystems; do
  find -L "$documentation/$part" -name '*.rst*' -print0 | sort -z | xargs -0 zcat -f | iconv -f utf-8 -t utf-8 -c > "$out/linux-$part.txt"
done
ls -l "$out"
