"""The quota mirror of a Slurm cluster: reads and writes slurmdbd through slurmrestd, as an administrator."""

from collections.abc import Sequence
from itertools import groupby

from schedulers.mirror import Account, Change, ClusterAccounts, PutAccount, PutBudget, PutMember
from schedulers.slurm import limits
from schedulers.slurm.client import SlurmClient


class SlurmMirror:
    """See QuotaMirror. `admin_user` is SlurmUser or an administrator in slurmdbd."""

    def __init__(self, client: SlurmClient, *, admin_user: str) -> None:
        self._client = client
        self._admin = admin_user
        self._cluster_name = ""

    async def seen(self) -> ClusterAccounts:
        """Everything that slurmdbd has for this cluster, whoever made it."""
        return limits.read_seen(
            qos=await self._client.qos(),
            accounts=await self._client.accounts(),
            associations=await self._client.associations(),
            known=await self._client.tres(),
            cluster=await self._cluster(),
        )

    async def apply(self, changes: Sequence[Change]) -> None:
        """Make these changes, in order; neighbours of one kind with as few requests as Slurm allows."""
        for kind, group in groupby(changes, key=type):
            if kind is PutBudget:
                budgets = [change for change in group if isinstance(change, PutBudget)]
                await self._client.put_qos(
                    [limits.qos_request(change) for change in budgets], user=self._admin
                )
            elif kind is PutMember:
                await self._put_members([change for change in group if isinstance(change, PutMember)])
            else:
                for change in group:
                    if isinstance(change, PutAccount):
                        await self._put_account(change.wanted, is_new=change.found is None)

    async def _put_account(self, wanted: Account, *, is_new: bool) -> None:
        cluster = await self._cluster()
        if is_new:
            request = limits.new_account_request(wanted, cluster)
            await self._client.add_account_associations(request, user=self._admin)
        else:
            await self._client.put_accounts([limits.account_request(wanted)], user=self._admin)
        await self._client.put_associations([limits.association_request(wanted, cluster)], user=self._admin)

    async def _put_members(self, changes: Sequence[PutMember]) -> None:
        cluster = await self._cluster()
        new = [change.wanted for change in changes if change.found is None]
        for request in limits.new_members_requests(new, cluster):
            await self._client.add_user_associations(request, user=self._admin)
        associations = [limits.association_request(change.wanted, cluster) for change in changes]
        await self._client.put_associations(associations, user=self._admin)

    async def _cluster(self) -> str:
        """Slurm's own name of the cluster, which need not be the portal's."""
        if not self._cluster_name:
            self._cluster_name = (await self._client.ping()).cluster
        return self._cluster_name
