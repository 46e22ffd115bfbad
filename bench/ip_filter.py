"""What a large IP filter costs: reading lists of each form, the memory that takes, and looking addresses up.

    python -m bench.ip_filter [--ranges 1000000]

Each list is read in a process of its own; its memory is what the process grew by, at most. The list blocks random
ranges of up to a thousand addresses, in no order; every tenth touches another one.
"""

import argparse
import gzip
import io
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path
from random import Random

from bench import report
from bittern.codec.ip_list import IpListReader

FORMS = ("p2p", "dat", "cidr", "p2p.gz", "p2p.zip", "ipv6")
LOOK_UPS = 100_000


def line(form: str, number: int, rng: Random) -> str:
    """One entry of a list."""
    if form == "ipv6":
        return f"{IPv6Address(0x2001 << 112 | rng.getrandbits(64) << 48)}/80"
    start = rng.getrandbits(32)
    end = min(start + rng.randrange(1000), 2**32 - 1)
    if form == "cidr":
        return f"{IPv4Address(start)}/{rng.randrange(22, 33)}"
    if form == "dat":
        first, last = (".".join(f"{byte:03}" for byte in IPv4Address(each).packed) for each in (start, end))
        return f"{first} - {last} , 000 , Some organisation {number}"
    return f"Some organisation {number}:{IPv4Address(start)}-{IPv4Address(end)}"


def write(form: str, ranges: int, folder: Path) -> Path:
    """A list."""
    rng, path = Random(1), folder / form
    text = "".join(f"{line(form.partition('.')[0], number, rng)}\n" for number in range(ranges)).encode()
    if form.endswith(".gz"):
        text = gzip.compress(text)
    elif form.endswith(".zip"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("list.p2p", text)
        text = buffer.getvalue()
    path.write_bytes(text)
    return path


def peak_bytes() -> int:
    """The most memory that this process has had; what `getrusage` says begins with that of its parent."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def measure(path: Path) -> dict[str, float | str | int]:
    """Read a list, and look up addresses."""
    rng, form = Random(2), path.name
    hosts = [
        str(IPv6Address(0x2001 << 112 | rng.getrandbits(112)) if form == "ipv6" else IPv4Address(rng.getrandbits(32)))
        for _ in range(LOOK_UPS)
    ]
    before = peak_bytes()
    wall, cpu = time.perf_counter(), time.process_time()
    reader = IpListReader()
    with path.open("rb") as file:
        reader.read(form, iter(partial(file.read, 1 << 16), b""))
    read = reader.result()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    grown = peak_bytes() - before
    start = time.perf_counter()
    inside = sum(host in read.ranges for host in hosts)
    return {
        "form": form,
        "entries": read.entries,
        "ranges": len(read.ranges),
        "seconds": wall,
        "cpu_seconds": cpu,
        "peak_mib": grown / (1 << 20),
        "kept_mib": read.ranges.size_bytes / (1 << 20),
        "look_up_us": (time.perf_counter() - start) / LOOK_UPS * 1e6,
        "inside": inside,
    }


def main() -> None:
    """Measure, print, save."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--ranges", type=int, default=1_000_000)
    parser.add_argument("--list", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.list is not None:
        print(json.dumps(measure(args.list)))
        return
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMS:
            path = write(form, args.ranges, Path(folder))
            command = [sys.executable, "-m", "bench.ip_filter", "--list", str(path)]
            figures.append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            path.unlink()
    rows = [
        [
            str(row["form"]),
            f"{row['ranges']:,}",
            f"{row['seconds']:.2f}",
            f"{row['cpu_seconds']:.2f}",
            f"{row['peak_mib']:.0f}",
            f"{row['kept_mib']:.1f}",
            f"{row['look_up_us']:.1f}",
        ]
        for row in figures
    ]
    columns = ["form", "ranges, joined", "seconds", "CPU seconds", "peak MiB", "kept MiB", "look-up us"]
    table = {f"{args.ranges:,} lines": report.markdown(columns, rows)}
    report.save("ip-filter", f"An IP filter of {args.ranges:,} lines", table, figures)


if __name__ == "__main__":
    main()
