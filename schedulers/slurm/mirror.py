"""The quota mirror of a Slurm cluster: reads and writes slurmdbd through slurmrestd, as an administrator."""

from typing import assert_never

from schedulers.mirror import Account, Change, ClusterAccounts, Member, PutAccount, PutBudget, PutMember
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

    async def apply(self, change: Change) -> None:
        """Make one change; made twice it is the same as made once."""
        match change:
            case PutBudget():
                await self._client.put_qos([limits.qos_request(change)], user=self._admin)
            case PutAccount(wanted, found):
                await self._put_account(wanted, is_new=found is None)
            case PutMember(wanted, found):
                await self._put_member(wanted, is_new=found is None)
            case _:
                assert_never(change)

    async def _put_account(self, wanted: Account, *, is_new: bool) -> None:
        cluster = await self._cluster()
        if is_new:
            request = limits.new_account_request(wanted, cluster)
            await self._client.add_account_associations(request, user=self._admin)
        else:
            await self._client.put_accounts([limits.account_request(wanted)], user=self._admin)
        await self._client.put_associations([limits.association_request(wanted, cluster)], user=self._admin)

    async def _put_member(self, wanted: Member, *, is_new: bool) -> None:
        cluster = await self._cluster()
        if is_new:
            request = limits.new_member_request(wanted, cluster)
            await self._client.add_user_associations(request, user=self._admin)
        await self._client.put_associations([limits.association_request(wanted, cluster)], user=self._admin)

    async def _cluster(self) -> str:
        """Slurm's own name of the cluster, which need not be the portal's."""
        if not self._cluster_name:
            self._cluster_name = (await self._client.ping()).cluster
        return self._cluster_name
