"""Fails if a shared object has variables: writable.py FILE...

Relocated constants (.data.rel.ro, .got, .dynamic) are written by the loader alone, which makes them read-only
afterwards. What else may be writable is what the C start files bring: __dso_handle and completed.0. A package may
have a byte of .bss that nothing refers to: the constants are put behind it.
"""

import subprocess
import sys

STARTUP = {"__dso_handle", "completed.0", "__TMC_END__", "__TMC_LIST__", "_GLOBAL_OFFSET_TABLE_", "_DYNAMIC",
           "__do_global_dtors_aux_fini_array_entry", "__frame_dummy_init_array_entry"}

bad = 0
for path in sys.argv[1:]:
    lines = subprocess.run(
        ["llvm-readelf", "-sW", "-S", "--elf-output-style=GNU", path], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    sections = {}
    for line in lines:
        if line.lstrip().startswith("[") and "]" in line:
            number, rest = line.split("[")[1].split("]")
            fields = rest.split()
            if number.strip().isdigit() and len(fields) > 7:
                sections[number.strip()] = (fields[0], fields[6])
    for line in lines:
        fields = line.split()
        if len(fields) < 8 or not fields[0].endswith(":") or fields[3] not in ("OBJECT", "NOTYPE", "TLS"):
            continue
        name, flags = sections.get(fields[6], ("", ""))
        if "W" in flags and name in (".data", ".bss", ".tdata", ".tbss") and fields[7] not in STARTUP:
            print(f"{path}: variable '{fields[7]}' in {name}")
            bad += 1
    for number, (name, flags) in sections.items():
        if name in (".tdata", ".tbss"):
            print(f"{path}: has variables of threads")
            bad += 1
sys.exit(bad > 0)
