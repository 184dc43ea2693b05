#!/bin/sh
# Downloads and unpacks the Debian packages of the image's lowest layer, without root and without a
# trace in the machine's own package lists:  image_packages.sh FOLDER ARCHITECTURE PACKAGE…
#
# Leaves FOLDER/root with all files and FOLDER/control with a description of each package. Packages
# come from where apt on this machine gets its own, also those for another architecture.
set -eu
folder=$1 architecture=$2
shift 2
rm -rf "$folder"
mkdir -p "$folder/lists/partial" "$folder/archives/partial" "$folder/root" "$folder/control"
: >"$folder/status"
cat >"$folder/apt.conf" <<EOF
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Sandbox::User "";
Acquire::Languages "none";
Dir::State "$folder";
Dir::State::status "$folder/status";
Dir::Cache "$folder";
EOF
export APT_CONFIG="$folder/apt.conf"
apt-get -q update
cd "$folder/archives"
apt-get -q download "$@"
# The licence of libgcc-s1 is in the package that its documentation links to.
apt-get -q download "$(dpkg-deb -f libgcc-s1_*.deb Depends | grep -o 'gcc-[0-9]*-base')"
for package in *.deb; do
  dpkg-deb -x "$package" "$folder/root"
  dpkg-deb -f "$package" >"$folder/control/${package%%_*}"
done
cd "$folder"
rm -rf lists archives status apt.conf ./*.bin
