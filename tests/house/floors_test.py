#!/usr/bin/env python3
"""Plants each violation in a tree of its own and sees floors.py find it."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

FLOORS = Path(__file__).with_name("floors.py")


class FloorsTest(unittest.TestCase):
    def check(self, files: dict[str, str]) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as root:
            for name, text in files.items():
                path = Path(root, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            command = [sys.executable, str(FLOORS), root]
            return subprocess.run(command, capture_output=True, text=True, check=False)

    def assert_found(self, name: str, text: str, expected: str) -> None:
        result = self.check({name: text})
        self.assertEqual(result.returncode, 1, result.stdout)
        self.assertIn(expected, result.stdout)

    def assert_clean(self, name: str, text: str) -> None:
        result = self.check({name: text})
        self.assertEqual(result.returncode, 0, result.stdout)

    def test_an_include_upwards_is_found_with_file_and_line(self) -> None:
        self.assert_found(
            "base/clock.cc",
            '#include "base/clock.h"\n#include "proto/wire.h"\n',
            "base/clock.cc:2: base/ includes from proto/, which is on a higher floor",
        )

    def test_angle_brackets_and_spaces_do_not_hide_an_include(self) -> None:
        self.assert_found("proto/a.h", "#  include <cache/shard.h>\n", "from cache/")

    def test_cache_and_transport_never_meet(self) -> None:
        meet = "stand on one floor and never meet"
        self.assert_found("cache/a.cc", '#include "transport/transport.h"\n', meet)
        self.assert_found("transport/ucx/a.cc", '#include "cache/shard.h"\n', meet)

    def test_client_and_server_never_meet(self) -> None:
        meet = "stand on one floor and never meet"
        self.assert_found("client/a.h", '#include "server/node/node.h"\n', meet)
        self.assert_found("server/node/a.cc", '#include "client/client.h"\n', meet)

    def test_the_program_joins_client_and_server_and_nothing_builds_on_it(self) -> None:
        self.assert_clean(
            "server/cli/replay.cc", '#include "client/client.h"\n#include "server/node/node.h"\n'
        )
        self.assert_clean("tests/server/cli/a_test.cc", '#include "server/cli/replay.h"\n')
        self.assert_found("server/node/a.cc", '#include "server/cli/a.h"\n', "from server/cli/")

    def test_a_proto_file_obeys_too(self) -> None:
        self.assert_found("proto/a.proto", 'import "server/b.proto";\n', "from server/")

    def test_includes_downwards_within_and_outside_are_fine(self) -> None:
        self.assert_clean(
            "server/node/a.cc",
            '#include "server/node/a.h"\n#include <vector>\n#include <ucp/api/ucp.h>\n'
            '#include "cache/shard.h"\n#include "transport/transport.h"\n',
        )

    def test_a_condition_on_a_vendor_outside_its_folder_is_found(self) -> None:
        for line in (
            "#if CAIRN_HAVE_CUDA",
            "#ifdef __CUDACC__",
            "# ifndef __HIP_PLATFORM_AMD__",
            "#elif defined(IBV_ACCESS_LOCAL_WRITE)",
            "#if defined(X) && defined(MLX5_DV)",
        ):
            self.assert_found("transport/ucx/a.cc", line + "\n", "belongs into transport/cuda/")
            self.assert_clean("transport/cuda/a.cc", line + "\n")
            self.assert_clean("transport/verbs/a.cc", line + "\n")

    def test_guards_comments_and_other_words_are_no_vendor(self) -> None:
        self.assert_clean(
            "tests/transport/cuda/a.h",
            "#ifndef CAIRN_TESTS_TRANSPORT_CUDA_A_H_\n// if CUDA is there\n#ifdef CHIP\n#endif\n",
        )


if __name__ == "__main__":
    unittest.main()
