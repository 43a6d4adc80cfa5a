# This file is part of the Sectile project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random programs that look for wrong results, crashes and refusals.

    scripts/fuzz --minutes=10                   both kinds
    python3 -m sectile_fuzz graphs --seed 7     one random ONNX graph, with all that is found

A graph is grown node by node beside the values that it computes (`growth`), so every program is valid
and free of NaN by construction. What it must give is known up to a bound that comes from executing it
with disturbed roundings (`disturbed`), element by element; a difference beyond it is reduced to a
small model (`reduction`).
"""
