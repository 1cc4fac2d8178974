"""Emulated machines with a soft-RoCE adapter each, on one cable (tests/tools/rdma).

QEMU without hardware's help, so neither root nor a module of the host's kernel is needed: 10 to 100
times slower than a machine, for what is right and not for what is fast.
"""

import json
import shlex
import socket
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

START_S = 120
MEMORY_MIB = 1536
PROGRAMS_TOLD = 3
KERNEL_WORDS = "console=ttyS0 quiet panic=-1 mitigations=off nowatchdog random.trust_cpu=on"


class Program:
    """Something that runs in a machine."""

    def __init__(self, machine: "Machine", name: str) -> None:
        self.machine = machine
        self.name = name

    def file(self, kind: str) -> Path:
        return self.machine.share / f"{self.name}.{kind}"

    def output(self) -> str:
        return self.file("out").read_text(errors="replace") if self.file("out").exists() else ""

    def ended(self) -> bool:
        return self.file("rc").exists()

    def wait(self, limit_s: float) -> int:
        """Its exit status."""
        self.machine.await_(self.ended, limit_s, self.name)
        return int(self.file("rc").read_text())

    def signal(self, name: str) -> None:
        pid = self.file("pid").read_text().strip()
        assert self.machine.run(f"kill -{name} {pid}") == ""


class Machine:
    """`cable` is one end of a pair of sockets."""

    def __init__(self, number: int, tool: Path, build: Path, folder: Path, cable: socket.socket):
        self.address = f"10.77.0.{number}"
        self.share = folder / f"machine{number}"
        self.share.mkdir()
        self.programs = 0
        console = self.share / "console"
        with socket.socket(socket.AF_UNIX) as listening, open(console, "w") as output:
            listening.bind(str(self.share / "commands"))
            listening.listen()
            listening.settimeout(START_S)
            self.process = subprocess.Popen(
                self.command(number, tool, build, cable),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[cable.fileno()],
            )
            self.commands, _ = listening.accept()

    def command(self, number: int, tool: Path, build: Path, cable: socket.socket) -> list[str]:
        mac = f"52:54:00:77:00:0{number}"
        command = ["qemu-system-x86_64", "-M", "q35,sata=off,smbus=off,usb=off", "-nodefaults"]
        command += ["-accel", "tcg,thread=multi", "-cpu", "max,la57=off", "-smp", "1"]
        command += ["-m", str(MEMORY_MIB), "-display", "none", "-serial", "stdio", "-no-reboot"]
        command += ["-kernel", tool / "vmlinuz", "-initrd", tool / "initrd.gz"]
        command += ["-append", f"{KERNEL_WORDS} cairn_address={self.address}/24"]
        for tag, path, more in [
            ("usr", "/usr", ",readonly=on"),
            ("build", build, ",readonly=on"),
            ("share", self.share, ""),
        ]:
            command += ["-fsdev", f"local,id={tag},path={path},security_model=none{more}"]
            command += ["-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
        command += ["-object", "rng-random,id=rng,filename=/dev/urandom"]
        command += ["-device", "virtio-rng-pci,rng=rng"]
        command += ["-chardev", f"socket,id=commands,path={self.share}/commands"]
        command += ["-device", "virtio-serial-pci"]
        command += ["-device", "virtserialport,chardev=commands"]
        command += ["-netdev", f"socket,id=cable,fd={cable.fileno()}"]
        command += ["-device", f"virtio-net-pci,netdev=cable,mac={mac}"]
        command += ["-qmp", f"unix:{self.share}/qmp,server=on,wait=off"]
        return [str(word) for word in command]

    def await_(self, done, limit_s: float, what: str) -> None:
        limit = time.monotonic() + limit_s
        while not done():
            assert self.process.poll() is None and time.monotonic() < limit, (
                f"{what}: not within {limit_s} s\n{self.told()}"
            )
            time.sleep(0.05)

    def told(self) -> str:
        """The end of what the machine and its last programs said."""
        outputs = sorted(self.share.glob("*.out"), key=lambda file: file.stat().st_mtime)
        files = [self.share / "console", *outputs[-PROGRAMS_TOLD:]]
        return "\n".join(f"--- {f.name}\n{f.read_text(errors='replace')[-1500:]}" for f in files)

    def await_ready(self) -> None:
        self.await_((self.share / "ready").exists, START_S, "the machine's start")

    def start(self, *words: str | Path, environment: dict[str, str] | None = None) -> Program:
        """Starts a program; a word of one string alone is a shell's line."""
        self.programs += 1
        program = Program(self, f"program{self.programs}")
        line = str(words[0]) if len(words) == 1 else "exec " + shlex.join(str(w) for w in words)
        exports = [f"export {shlex.quote(f'{k}={v}')}" for k, v in (environment or {}).items()]
        script = [f"echo $$ > /share/{program.name}.pid", "cd /share", *exports, line]
        program.file("sh").write_text("\n".join(script) + "\n")
        self.commands.sendall(f"{program.name}\n".encode())
        self.await_(program.file("pid").exists, START_S, f"the start of {line}")
        return program

    def run(self, *words: str | Path, limit_s: float = START_S) -> str:
        """The output of a program that succeeds."""
        program = self.start(*words)
        assert program.wait(limit_s) == 0, program.output()
        return program.output()

    def sent_packets(self) -> int:
        """Of the adapter, since the machine's start."""
        return int(self.run("cat /sys/class/infiniband/rxe0/ports/1/hw_counters/sent_pkts"))

    def cable(self, plugged: bool) -> None:
        with socket.socket(socket.AF_UNIX) as qmp:
            qmp.connect(str(self.share / "qmp"))
            answers = qmp.makefile("rw")
            answers.readline()  # its greeting
            link = {"name": "cable", "up": plugged}
            for execute, arguments in [("qmp_capabilities", {}), ("set_link", link)]:
                answers.write(json.dumps({"execute": execute, "arguments": arguments}) + "\n")
                answers.flush()
                assert "return" in json.loads(answers.readline())

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.commands.close()


def boot(tool: Path, build: Path, folder: Path, running: ExitStack) -> tuple[Machine, Machine]:
    ends = socket.socketpair()
    machines = []
    for number, end in enumerate(ends, start=1):
        with end:
            machines.append(Machine(number, tool, build, folder, end))
        running.callback(machines[-1].end)
    for machine in machines:
        machine.await_ready()
    return machines[0], machines[1]
