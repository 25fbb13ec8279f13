#!/bin/sh
# Carries out what the test sends: lines of a number and a script in base 64; answers with the number, the exit code and
# everything that it wrote.
port=/dev/virtio-ports/lab
until [ -e $port ]; do sleep 0.2; done
exec 3<> $port
while read -r id text <&3; do
  out=$(sh -c "$(printf %s "$text" | base64 -d)" 2>&1 < /dev/null)
  code=$?
  printf '%s %s %s\n' "$id" "$code" "$(printf %s "$out" | base64 -w0)" >&3
done
