"""The two platforms: accounts of the sandbox, different in batches and in how their syncs are authenticated."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Platform:
    """`account` is the sandbox's name for it, `prefix` begins the ids by which it knows people."""

    name: str
    account: str
    prefix: str
    batch_size: int
    sync_auth: str

    def settings(self, sandbox_url: str) -> dict[str, Any]:
        """Of the generic HTTP connector: 001_6c0121e2456e8832.txt, micro-batches with removals."""
        address = f"{sandbox_url}/generic/v1/segment"
        body = [{"segment": "{{segment_id}}", "userid": "{{userid}}"}]
        return {
            "strategy": "micro_batch",
            "batch_size": self.batch_size,
            "create": {"method": "POST", "url": f"{address}?title={{{{name}}}}", "segment_id": "segment_id"},
            "add": {"method": "POST", "url": address, "body": body},
            "remove": {"method": "DELETE", "url": address, "body": body},
        }

    def credentials(self) -> dict[str, str]:
        return {"type": "basic", "username": self.account, "password": f"{self.account}-secret"}


PLATFORMS = (
    Platform("Northwind Ads", "northwind-ads", "nw", batch_size=100, sync_auth="token"),
    Platform("Contoso Social", "contoso-social", "cs", batch_size=1000, sync_auth="signed"),
)
