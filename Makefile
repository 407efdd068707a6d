# SPDX-License-Identifier: GPL-2.0
#
# What a person types. The kernel's build system reads Kbuild beside this file;
# "make -C <kernel build directory> M=$PWD" works as for any module.

KDIR ?= $(shell scripts/kernel headers)
DESTDIR ?=
FS ?= ext4
JOBS ?= $(shell nproc)

export DESTDIR FS

# The kernel's makefiles take these from the environment; we hand them on.
KBUILD := $(MAKE) -C $(KDIR) M=$(CURDIR)

all: module tool

help:
	@echo 'Building:'
	@echo '  all            the module dm-deltarec.ko and the tool dmdelta (default)'
	@echo '  module         the module alone'
	@echo '  tool           the tool alone, userspace/dmdelta'
	@echo '  install        module, tool and manual page; DESTDIR is honoured'
	@echo '  clean          removes what was built'
	@echo 'Trying:'
	@echo '  demo           a recovery from beginning to end in a VM; FS=xfs for xfs'
	@echo '  vm             a shell in a VM with module, tool and two empty disks'
	@echo 'Testing:'
	@echo '  check          all tests; TESTS="unit dm/00-vm" for some of them'
	@echo '  check-deep     the same, with many more rounds'
	@echo '  style          checkpatch, sparse, warnings, shellcheck'
	@echo 'Measuring:'
	@echo '  bench          dm-linear, dm-thin, dm-snapshot and deltarec side by side, in'
	@echo '                 VMs with an exact clock; the figures go to Documentation/bench'
	@echo '  bench-quick    some of it, on the terminal only'
	@echo '  bench-report   Documentation/performance.rst of the figures that are there'
	@echo
	@echo 'demo, vm, bench, check and check-deep install the packages they need when run'
	@echo 'as root, and otherwise say which. KDIR=directory chooses the headers to'
	@echo 'build against, by default the newest of /usr/src/linux-headers-*-cloud-amd64.'

module:
	+$(KBUILD) W=1 modules

tool:
	$(MAKE) -C userspace

# depmod belongs to the machine that the files end up on
install: all
	+$(KBUILD) $(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR) DEPMOD=true) \
		modules_install
	$(MAKE) -C userspace install

deps:
	@scripts/deps

# tests/run builds as its first test.
check: deps
	@tests/run $(TESTS)

check-deep: deps
	@DEEP=1 tests/run $(TESTS)

# A second make, since KDIR is found only when the packages are there.
demo: deps
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@tests/demo/run

vm: deps
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@scripts/vm --put dm-deltarec.ko --put userspace/dmdelta \
		--disk 1G --disk 1G --shell

style: deps
	@scripts/style

# A second make, as for the demo.
bench: deps
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@tests/bench/run
	@tests/bench/report.py pages

bench-quick: deps
	@$(MAKE) --no-print-directory -s -j$(JOBS) all
	@tests/bench/run --quick

bench-report:
	@tests/bench/report.py pages

clean:
	$(if $(wildcard $(KDIR)/Makefile),$(KBUILD) clean)
	$(MAKE) -C userspace clean
	rm -rf build
	@for dir in tests/unit tests/sim tests/states; do \
		if [ -f $$dir/Makefile ]; then \
			$(MAKE) -C $$dir clean || exit; \
		fi; \
	done

.PHONY: all help module tool install deps check check-deep demo vm bench \
	bench-quick bench-report style clean
