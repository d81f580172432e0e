#!/bin/sh
# sign.sh <key in hex> <unix seconds> <audience> < headers
# The X-MCP-Cred-Signature for headers that stand one a line, as "Name: value": what a gateway in another language does.
set -eu
{
  printf 'v1\n%s\n%s' "$2" "$3"
  grep -i '^x-mcp-cred-' | grep -iv '^x-mcp-cred-signature:' |
    awk '{ colon = index($0, ":"); value = substr($0, colon + 1); gsub(/^[ \t]+|[ \t]+$/, "", value); print tolower(substr($0, 1, colon - 1)) ":" value }' |
    LC_ALL=C sort -t : -k 1,1 |
    while IFS= read -r line; do printf '\n%s' "$line"; done
} | openssl dgst -sha256 -mac HMAC -macopt "hexkey:$1" -r | sed "s/^\([0-9a-f]*\) .*/t=$2,v1=\1/"
