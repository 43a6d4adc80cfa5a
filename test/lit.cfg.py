"""Configuration of the lit suite."""

import os
import platform
import shutil

import lit.formats
import lit.util

config.name = "Sectile"
config.test_format = lit.formats.ShTest(True)
config.suffixes = [".mlir", ".test"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.sectile_build, "test")
# Unversioned tools elsewhere in PATH may belong to another LLVM.
config.environment["PATH"] = os.pathsep.join(
    [os.path.join(config.sectile_build, "bin"), os.path.join(config.llvm_prefix, "bin"),
     config.environment["PATH"]])
if "SECTILE_PEER_PYTHON" in os.environ:
    config.environment["SECTILE_PEER_PYTHON"] = os.environ["SECTILE_PEER_PYTHON"]
# Tests look at what is compiled, not at what was.
config.environment["SECTILE_CACHE"] = "off"
config.environment["PYTHONPATH"] = os.path.join(config.sectile_source, "python")
config.excludes = ["Inputs", "corpus", "unit", "lit.cfg.py"]
# Machines that run what is compiled for other hosts (scripts/install).
if shutil.which("qemu-aarch64") and os.path.isdir("/usr/aarch64-linux-gnu/include"):
    config.available_features.add("qemu-aarch64")
if shutil.which("qemu-system-arm"):
    config.available_features.add("qemu-system-arm")
config.available_features.add(platform.machine())
# Programs with sanitizers take more time and memory, and Python, which has none, cannot load a library with them.
if config.sectile_sanitize:
    config.available_features.add("sanitized")
config.substitutions.append(("%sectile_source", config.sectile_source))
config.substitutions.append(("%python", "/usr/bin/python3"))
config.substitutions.append(("%sectile_build", config.sectile_build))

# The assembler of NVIDIA's is not among the packages: where it is missing, its tests are unsupported.
for variable in ("SECTILE_PTXAS", "CUDA_HOME"):
    if variable in os.environ:
        config.environment[variable] = os.environ[variable]
if "SECTILE_PTXAS" in os.environ or lit.util.which(
        "ptxas", os.pathsep.join([os.path.join(os.environ.get("CUDA_HOME", "/nonexistent"), "bin"),
                                  os.environ["PATH"]])):
    config.available_features.add("ptxas")
