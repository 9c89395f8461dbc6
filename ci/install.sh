#!/usr/bin/env bash
# Installs Trellis for a CI job, without showing the job's secrets to the install scripts of packages: they get a clean environment.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kept=()
for name in PATH HOME TMPDIR LANG HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy NODE_EXTRA_CA_CERTS \
  SSL_CERT_FILE NPM_CONFIG_REGISTRY npm_config_registry NPM_CONFIG_USERCONFIG npm_config_userconfig; do
  if [[ -n ${!name:-} ]]; then kept+=("$name=${!name}"); fi
done
exec env -i "${kept[@]}" npm ci --no-audit --no-fund
