"""The connector, and a fault that Cairn's checksums exclude: a bit of each loaded block turns after
it was checked, while the file ROT exists. It shows that wrong bytes would be seen in the tokens."""

import os
from pathlib import Path

import torch
from cairn.vllm import CairnConnector

SIGN = -(1 << 31)  # not an exponent's bit: NaN would live on in slots that are not used yet


class RottenConnector(CairnConnector):
    def start_load_kv(self, forward_context, **more) -> None:
        super().start_load_kv(forward_context, **more)
        if Path(os.environ["ROT"]).exists():
            for job in self._get_connector_metadata().loads:
                self._rotting = {*getattr(self, "_rotting", ()), *job.block_ids}

    def register_kv_caches(self, kv_caches) -> None:
        super().register_kv_caches(kv_caches)
        self._layers = list(kv_caches.values())

    def get_transfer_results(self, finished_req_ids):
        results = super().get_transfer_results(finished_req_ids)
        if results.finished_recving:
            for block_id in self.__dict__.pop("_rotting", ()):
                for layer in self._layers:
                    bits = layer[block_id].view(torch.int32)
                    bits.copy_(bits ^ SIGN)
        return results
