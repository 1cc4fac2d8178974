#!/usr/bin/env bash
# Makes the kernel and the first files of an emulated machine with a soft-RoCE adapter: install.sh FOLDER.
# Debian's kernel package is taken apart, not installed. Needs no root; half a minute, 15 MB.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder=$(mkdir -p "$1" && cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
modules=(virtio_pci virtio_console virtio_rng virtio_net 9p 9pnet_virtio crc32_generic crc32_pclmul rdma_rxe rdma_ucm)

cd "$work"
# The cloud flavour has no rdma_rxe.
kernel=$(apt-cache depends --important linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-[0-9].*-amd64\)$/\1/p')
[[ -n $kernel ]] || { echo "Debian's linux-image-amd64 is not known here; run apt-get update" >&2 && exit 1; }
apt-get -q -o APT::Sandbox::User=root download "$kernel"
dpkg-deb --fsys-tarfile "$kernel"_*.deb | tar -x --wildcards './boot/vmlinuz-*' './lib/modules'
version=$(ls lib/modules)
depmod -b . "$version"
cp "boot/vmlinuz-$version" "$folder/vmlinuz"

# Each module behind what it needs.
mkdir -p first/{bin,dev,etc,modules,proc,root,run,share,cairn,sys,tmp,usr}
for module in "${modules[@]}"; do
  modprobe -d . -S "$version" --show-depends "$module" | awk '$1 == "insmod" { print $2 }'
done | awk '!seen[$0]++' >paths
while read -r path; do
  cp "$path" first/modules/
  basename "$path" >>first/modules/order
done <paths

cp "$(command -v busybox)" first/bin/busybox
cp "$here/init" first/init
chmod +x first/init
cp -a /etc/libibverbs.d /etc/ld.so.cache /etc/alternatives first/etc/
echo root:x:0:0:root:/root:/bin/sh >first/etc/passwd
echo 127.0.0.1 localhost >first/etc/hosts
echo hosts: files >first/etc/nsswitch.conf
(cd first && find . | cpio -o -H newc --quiet) | gzip -1 >"$folder/initrd.gz"
