"""Compiles two models in turns, all at once, with one cache: at_once.py MODEL MODEL FOLDER."""

import os
import subprocess
import sys

models, folder = sys.argv[1:3], sys.argv[3]
os.makedirs(folder, exist_ok=True)
running = [
    subprocess.Popen(["sectile", "compile", models[i % 2], "-o", f"{folder}/{i}.stp",
                      "--cpu-levels=avx2", f"--cache={folder}/cache", "--quiet"])
    for i in range(6)
]
sys.exit(any([process.wait() for process in running]))
