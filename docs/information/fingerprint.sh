#!/usr/bin/env bash
# How often one distribution is taken for the wrong model: every checkpoint of tiny, models trained here, an int8 copy.
#   docs/information/fingerprint.sh build/fingerprint
# Needs the extras models and train (organisms that are not in the cache are trained: minutes each on 2 cores).
set -euo pipefail
out=$1
foretell=${FORETELL:-foretell} python=${PYTHON:-python3}
mkdir -p "$out"

for step in 96 192 384 768 1536 3072; do
  $foretell collect --target "tiny@$step" --suite foretell-300 --out "$out/tiny-$step"
done
for recipe in twin sibling easy finetune trigger; do
  folder=$($python -c "import sys
from foretell.organisms.recipes import load_recipe
from foretell.organisms.training import cached_organism
print(cached_organism(load_recipe(sys.argv[1])))" "$recipe")
  $foretell collect --target "hf:$folder" --suite foretell-300 --out "$out/$recipe"
done
$foretell collect --target int8:tiny --suite foretell-300 --out "$out/int8"

cd "$out"
names="tiny-96 tiny-192 tiny-384 tiny-768 tiny-1536 tiny-3072 twin sibling easy finetune trigger"
$foretell information fingerprint $(printf -- "--truth %s " $names int8) $(printf -- "--known %s/ " $names) --measure \
  --positions 30 --json rates.json
