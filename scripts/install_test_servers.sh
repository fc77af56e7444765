#!/usr/bin/env bash
# Installs what the tests run against and pip cannot bring.  Does nothing where all is there.
# Where it may not install, it says what is missing: the tests that need it are skipped, and fail in CI.
set -euo pipefail

missing=()
need() { # need PACKAGE: unless one of the following paths or commands is there
    local package=$1 thing
    shift
    for thing in "$@"; do
        if [[ -e $thing ]] || command -v "$thing" >/dev/null; then return; fi
    done
    missing+=("$package")
}

shopt -s nullglob
PATH="$PATH:/usr/sbin:/sbin"
need strace strace                                                  # the order of system calls (P4)
need postgresql /usr/lib/postgresql/*/bin/postgres postgres         # the shared ledger
need iproute2 ip                                                    # a network whose cable is cut
need openssh-server sshd                                            # a real SFTP server
need openssh-client ssh-keygen
need fuse3 fusermount3                                              # a file system that fails on demand
need libfuse3-3 /usr/lib/*/libfuse3.so.* /lib/*/libfuse3.so.* /usr/lib*/libfuse3.so.*
need dosfstools mkfs.vfat                                           # real FAT: two-second times, one case
need exfat-fuse mount.exfat-fuse mount.exfat                        # a file system that folds case
need exfatprogs mkfs.exfat
need ntfs-3g ntfs-3g                                                # the rules of Windows for names
need e2fsprogs mkfs.ext4
need xfsprogs mkfs.xfs
need btrfs-progs mkfs.btrfs
need user-mode-linux linux.uml                                      # a machine whose power can be cut
need kmod modprobe
need dmsetup dmsetup                                                # devices that refuse, lie and rot
need samba smbd                                                     # a real SMB server
need cifs-utils mount.cifs                                          # ... mounted by a kernel
need coreutils sha256sum                                            # the judge of our manifests
need util-linux mount
need chromium chromium chromium-browser                              # draws the page of a run
need fonts-dejavu-core /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
need rsync rsync                                                    # counts again what a message tells
need systemd systemd-analyze                                        # judges of what is installed by schedule
need cron crontab
need tmux tmux                                                      # a person at a terminal
need gnome-keyring gnome-keyring-daemon                             # ... and the keyring of a desktop
need dbus-daemon dbus-run-session

need npm npm                                                        # brings a server of Azure's blobs

if ((${#missing[@]} == 0)); then
    : # all is there
elif [[ $(uname) == Linux && $(id -u) == 0 ]] && command -v apt-get >/dev/null; then
    echo "installing ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "the tests want these Debian packages or their like, which are not there: ${missing[*]}" >&2
    if [[ ${CI:-} == true ]]; then exit 1; fi
fi

# it comes by npm only, locked with hashes, and lies outside of the repository
locked=$(cd "$(dirname "${BASH_SOURCE[0]}")/../tests/stores/azure/server" && pwd)
azurite=${XDG_CACHE_HOME:-$HOME/.cache}/coldchain/azurite
if ! cmp -s "$locked/package-lock.json" "$azurite/package-lock.json" || [[ ! -e $azurite/node_modules/.bin/azurite-blob ]]; then
    if command -v npm >/dev/null; then
        echo "installing azurite in $azurite"
        mkdir -p "$azurite"
        cp "$locked"/package*.json "$azurite"
        npm ci --prefix "$azurite" --no-audit --no-fund --loglevel=error >/dev/null
    else
        echo "the tests of az:// want npm, to install azurite" >&2
        if [[ ${CI:-} == true ]]; then exit 1; fi
    fi
fi
