#!/usr/bin/env bash
# Signs what the variables TRELLIS_INPUT_* name: the common part of the GitHub Action and the GitLab template.

set -euo pipefail
cd "${TRELLIS_WORKSPACE:-$PWD}"
trellis="$(dirname "${BASH_SOURCE[0]}")/../bin/trellis.js"

arguments=()
# One word a line; blank lines, white space around a line and carriage returns do not count.
each_line() { # OPTION TEXT
  local line
  while IFS= read -r line || [[ -n $line ]]; do
    line=${line//$'\r'/}
    line=${line#"${line%%[![:space:]]*}"}
    line=${line%"${line##*[![:space:]]}"}
    [[ -z $line ]] && continue
    if [[ -n $1 ]]; then arguments+=("$1=$line"); else arguments+=("$line"); fi
  done <<<"$2"
}
is_true() { # NAME VALUE
  case $2 in
    true) return 0 ;;
    false | '') return 1 ;;
    *) echo "trellis: $1 is true or false, not $2" >&2; exit 2 ;;
  esac
}

each_line --key "${TRELLIS_INPUT_KEYS:-}"
each_line --annotation "${TRELLIS_INPUT_ANNOTATIONS:-}"
each_line --timestamp "${TRELLIS_INPUT_TIMESTAMP_URL:-}"
if is_true recursive "${TRELLIS_INPUT_RECURSIVE:-}"; then arguments+=(--recursive); fi
if is_true keyless "${TRELLIS_INPUT_KEYLESS:-}"; then arguments+=(--keyless); fi
# Also where they mean nothing: trellis refuses that, and an input that is ignored would look like one that is obeyed.
each_line --fulcio-url "${TRELLIS_INPUT_FULCIO_URL:-}"
each_line --rekor-url "${TRELLIS_INPUT_REKOR_URL:-}"
each_line --trusted-root "${TRELLIS_INPUT_TRUSTED_ROOT:-}"
arguments+=(--)
each_line '' "${TRELLIS_INPUT_IMAGES:-}"

# The document is kept whether the signing worked or not: it says which image failed and why.
status=0
result=$(node "$trellis" sign --json "${arguments[@]}") || status=$?
printf '%s\n' "$result"
if [[ -n ${GITHUB_OUTPUT:-} ]]; then
  boundary="trellis-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')"
  printf 'result<<%s\n%s\n%s\n' "$boundary" "$result" "$boundary" >>"$GITHUB_OUTPUT"
fi
exit "$status"
