# SPDX-License-Identifier: Apache-2.0
"""Training on two processes, which talk over gloo on the CPU."""

import pickle
import subprocess
import sys
from pathlib import Path

import torch

from hwgen.data_files import Data
from hwgen.ir.graph import Graph
from hwgen.prune.insert import insert_selectors
from hwgen.prune.network import GraphNetwork

SCRIPT = """
import pickle, sys
from pathlib import Path
import torch
from hwgen.prune.insert import insert_selectors
from hwgen.prune.network import GraphNetwork
from hwgen.prune.processes import processes
from hwgen.prune.training import Training, train

torch.set_num_threads(1)
folder = Path(sys.argv[1])
graph, data = pickle.loads((folder / "inputs.pickle").read_bytes())
state = processes()
assert state.num_processes == 2
network = GraphNetwork(insert_selectors(graph, [2, 3]))
settings = Training(keep=(0.6, 0.3), epochs=1, batch=16, warm_up=2)
lines = []
train(network, graph, data, settings, checkpoint=folder / "a.pt", log=lines.append)
assert bool(lines) == state.is_main_process
torch.save(network.state_dict(), folder / f"weights{state.process_index}.pt")
state.destroy_process_group()
"""


def test_processes_end_with_the_same_weights(tiny: Graph, data: Data, tmp_path: Path) -> None:
    (tmp_path / "inputs.pickle").write_bytes(pickle.dumps((tiny, data)))
    (tmp_path / "script.py").write_text(SCRIPT)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [*launch, tmp_path / "script.py", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"weights{i}.pt") for i in range(2))
    start = GraphNetwork(insert_selectors(tiny, [2, 3])).state_dict()
    for name, value in first.items():
        assert torch.equal(value, second[name]), name
    assert sum(not torch.equal(value, start[name]) for name, value in first.items()) > 40
    assert (tmp_path / "a.pt").is_file()
