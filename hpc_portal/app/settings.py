"""Every setting, with its unit; read from `HPC_PORTAL_*` variables, and wrong values fail at start."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, IPvAnyNetwork, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from hpc_portal.app.telemetry.settings import TracingSettings


class PartitionSettings(BaseModel):
    """One partition of the Dask cluster."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]*$")
    """As in `hpc submit --partition`: small letters, digits, `-` and `_`."""
    nodes: str = "*"
    """A shell pattern of node names."""
    max_walltime_seconds: int = Field(default=7 * 86_400, ge=1)
    """The longest walltime that a job may ask for here."""
    default_walltime_seconds: int = Field(default=3600, ge=1)
    """For jobs that ask for none."""
    max_nodes_per_job: int | None = Field(default=None, ge=1)
    """The most nodes that one job may have; default: all of the partition."""
    is_default: bool = False
    """Takes the jobs that name no partition; exactly one partition must."""


class SlurmSettings(BaseModel):
    """One Slurm cluster, reached through its slurmrestd."""

    model_config = ConfigDict(extra="forbid")

    cluster_name: str = Field(default="slurm", pattern=r"^[a-z][a-z0-9-]*$")
    """The cluster's name in the portal, stored with every job: it must not change while jobs run."""
    url: str
    """Where slurmrestd listens: `http://host:port`, `https://host:port` or `unix:///path/of/socket`."""
    tls_ca: Path | None = None
    """Certificate of the authority that signed slurmrestd's (PEM); default: the machine's authorities."""
    auth: Literal["jwt_key", "token_file", "proxy_token"] = "jwt_key"
    """How the portal proves who it is: minting tokens, a file of tokens, or one token of SlurmUser."""
    jwt_key: Path | None = None
    """For `jwt_key`: the site's `jwt_hs256.key`. Whoever can read it is root on the cluster."""
    token_file: Path | None = None
    """For `token_file` and `proxy_token`: read again whenever it changes.

    With `{user}` in it, as in `/run/slurm-tokens/{user}.jwt`, there is one file for each cluster user."""
    polling_user: str = "slurm"
    """The cluster user that the portal looks at jobs and nodes as."""
    admin_user: str = "slurm"
    """A Slurm administrator (usually SlurmUser), for accounts, limits and other people's jobs."""
    runtime_paths: list[Path] = Field(default_factory=list)
    """Folders on the nodes whose `bin` comes first in every job's PATH: a Python with PyTorch, tool trees."""
    samples: bool = True
    """Jobs note beside their program, every few seconds, the CPU, memory and GPUs that they use."""
    default_partition: str | None = None
    """Where jobs go that name none; needed before API v0.0.43, which does not tell it (else: the first)."""
    scontrol: list[str] = Field(default_factory=list)
    """How `scontrol` is called as an operator of the cluster, such as `["scontrol"]`: it sets aside what
    others use of the licence servers' features. Empty: that is only shown."""
    programs: dict[str, list[str]] = Field(default_factory=dict)
    """By partition, or feature of nodes: which commands of the job templates jobs find there, such as
    `{"eda": ["yosys", "sta"]}`. Nodes that nothing here names are taken to have all."""
    allow_unknown_api_version: bool = False
    """Submit also to a slurmrestd newer than this portal knows."""
    mirror_quotas: bool = False
    """Create accounts, users and limits in Slurm from the portal's organisations, projects and budgets."""
    mirror_interval_seconds: float = Field(default=5.0, gt=0)
    """Longest pause before Slurm is told that a budget changed; sbatch may use the old one until then."""
    import_external: bool = False
    """Show and charge jobs that people submitted with sbatch themselves."""
    import_interval_seconds: float = Field(default=60.0, gt=0)
    """Pause between two looks for them in slurmdbd, which tells of every job under way each time."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if urlsplit(self.url).scheme not in {"http", "https", "unix"}:
            message = "url: must start with http://, https:// or unix://"
            raise ValueError(message)
        if self.auth == "jwt_key" and not self.jwt_key:
            message = "jwt_key: needed where auth is jwt_key"
            raise ValueError(message)
        if self.auth != "jwt_key" and not self.token_file:
            message = f"token_file: needed where auth is {self.auth}"
            raise ValueError(message)
        if any(not path.is_absolute() or ":" in str(path) for path in self.runtime_paths):
            message = "runtime_paths: must be absolute, without a colon"
            raise ValueError(message)
        if self.tls_ca and urlsplit(self.url).scheme != "https":
            message = "url: must start with https:// where tls_ca is given"
            raise ValueError(message)
        return self


class SmtpSettings(BaseModel):
    """The mail server that carries notices; without it the portal sends no mail."""

    model_config = ConfigDict(extra="forbid")

    host: str
    """Its name or address."""
    port: int = Field(default=587, ge=1, le=65_535)
    """Usually 587 with STARTTLS, 465 with TLS from the first byte, 25 without either."""
    security: Literal["starttls", "tls", "none"] = "starttls"
    """How the connection is encrypted; `none` is for a server on the same machine."""
    tls_ca: Path | None = None
    """Certificate of the authority that signed the server's (PEM); default: the machine's authorities."""
    username: str = ""
    """Empty: the server asks for no sign-in."""
    password: SecretStr = SecretStr("")
    """Never sent without encryption."""
    sender: str = Field(pattern=r"^[^@\s]+@[^@\s]+$")
    """The address that mails come from."""
    sender_name: str = "HPC Đà Nẵng"
    """The name that mails come from."""
    timeout_seconds: float = Field(default=20, gt=0)
    """How long the server may take for each answer."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.username and self.security == "none":
            message = "security: a password needs starttls or tls"
            raise ValueError(message)
        return self


class IdentityPlace(BaseModel):
    """Where people of one group of the identity provider belong."""

    model_config = ConfigDict(extra="forbid")

    group: str
    """As the provider's token names it."""
    organisation: str
    """The organisation's slug."""
    role: Literal["member", "manager"] = "member"
    """What they are there; of several, the highest."""


class IdentityProject(BaseModel):
    """Which project people of one group of the identity provider work in."""

    model_config = ConfigDict(extra="forbid")

    group: str
    """As the provider's token names it."""
    project: str
    """The project's account; who gets a place there becomes a member of its organisation."""
    role: Literal["member", "lead"] = "member"
    """What they are there; of several, the highest."""


class IdentitySettings(BaseModel):
    """The OpenID Connect provider that people sign in with; local accounts stay beside it."""

    model_config = ConfigDict(extra="forbid")

    issuer: str
    """Its issuer, such as `https://id.danang.example.vn/realms/city`; metadata are found below it."""
    client_id: str
    """The portal's name there; its redirect URI is `PUBLIC_URL/sign-in/identity/back`."""
    client_secret: SecretStr = SecretStr("")
    """Empty: a public client; PKCE is used in either case."""
    name: str = ""
    """What the button calls it; empty: the issuer's host."""
    scopes: list[str] = Field(default=["openid", "profile", "email"])
    """What is asked for; `openid` is always."""
    username_claim: str = "preferred_username"
    """The claim that a new person's user name is made of."""
    groups_claim: str = "groups"
    """The claim with a list of group names."""
    places: list[IdentityPlace] = Field(default_factory=list)
    """Memberships by group, set at each sign-in; whoever left a group loses the place. Others stay."""
    projects: list[IdentityProject] = Field(default_factory=list)
    """Places in projects by group, set at each sign-in; one that a group gave ends with it, its jobs go on.
    Places that somebody gave by hand in the portal stay as they are."""
    administrators_group: str = ""
    """Members are administrators of the portal, as long as they are members; empty: nobody by group."""
    create_people: bool = True
    """Whether who signs in for the first time gets an account; otherwise theirs must be linked before."""
    local_sign_in: Literal["everybody", "administrators"] = "everybody"
    """Who may still sign in with a password of the portal, should the provider be out of reach."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        parts = urlsplit(self.issuer)
        if parts.scheme != "https" and parts.hostname not in {"127.0.0.1", "localhost"}:
            message = "issuer: must start with https://"
            raise ValueError(message)
        return self


class RetentionSettings(BaseModel):
    """How long is kept what is not kept for ever; the ledger, the audit log and jobs' records are."""

    model_config = ConfigDict(extra="forbid")

    job_files_days: int | None = Field(default=None, ge=1)
    """Folders of jobs go so long after they were charged, unless a refund is not decided; empty: never.
    What a project's people share is theirs to delete."""
    uploads_days: int = Field(default=1, ge=1)
    """So long an upload that was cut off can be gone on with."""
    notices_days: int = Field(default=365, ge=1)
    """Notices on people's pages."""
    mails_days: int = Field(default=90, ge=1)
    """Mails that were sent or given up."""
    deliveries_days: int = Field(default=30, ge=1)
    """What webhooks were sent, as their owners see it."""
    ended_tokens_days: int = Field(default=365, ge=1)
    """API tokens in the lists, after they ran out or were revoked."""
    known_browsers_days: int = Field(default=180, ge=1)
    """Browsers in which somebody signed in, after the last time. Sessions end after `session_hours`."""


class LicenseServerSettings(BaseModel):
    """One FlexNet licence server, asked by running its own `lmstat`."""

    model_config = ConfigDict(extra="forbid")

    address: str = Field(pattern=r"^[^\s-][^\s]*$", max_length=255)
    """`27020@lic01`; a redundant server's three with commas."""
    command: list[str] = Field(default=["lmutil", "lmstat"], min_length=1)
    """How lmstat is called on the portal's machine."""
    timeout_seconds: float = Field(default=20, gt=0)
    """It hangs while a server's host is gone."""


class Settings(BaseSettings):
    """The portal's configuration; `hpc-portal settings` prints it with secrets masked."""

    model_config = SettingsConfigDict(env_prefix="HPC_PORTAL_", env_nested_delimiter="__", extra="forbid")

    state_dir: Path = Path(".state")
    """Folder for the SQLite file, sockets and the embedded node; created when missing."""
    workspace_root: Path | None = None
    """Folder of all job workspaces, shared with the nodes; default: `workspaces` in state_dir."""
    upload_max_gib: int = Field(default=100, ge=1)
    """The largest file that may be uploaded into a project's shared files."""
    attachment_root: Path | None = None
    """Folder of the files attached to requests, shared by all web processes; default: in state_dir."""
    capacity_availability_percent: int = Field(default=85, ge=1, le=100)
    """How much of the clusters' hours can be promised: the rest is maintenance, failures and idle gaps."""
    database_url: str = ""
    """URL of the database; empty means SQLite in state_dir. PostgreSQL: postgresql://user:password@host/name"""
    database_pool_size: int = Field(default=10, ge=1, le=200)
    """The most database connections that one process keeps open."""
    backup_late_hours: int = Field(default=26, ge=0)
    """So long after the last `hpc-portal backup` the next one is late; 0: other means save the database."""

    host: str = "127.0.0.1"
    """Address to listen on; `0.0.0.0` for all of the machine's."""
    port: int = Field(default=8000, ge=0, le=65_535)
    """TCP port to listen on; 0 takes a free one and prints it."""
    metrics_host: str = "127.0.0.1"
    """Address of the port for machines."""
    metrics_port: int | None = Field(default=None, ge=0, le=65_535)
    """Port for machines, without sign-in: /metrics, /healthz, /readyz of this process. Empty: none.

    Under `hpc-portal serve` the controller takes the next one."""
    public_url: str = ""
    """What people type in the browser, where a proxy stands in front; decides secure cookies."""
    session_hours: Annotated[int, Field(ge=1, le=720)] = 12
    """How long a browser stays signed in."""
    default_locale: Literal["vi", "en"] = "vi"
    """Language of pages for people who have chosen none."""
    open_data: bool = False
    """Show everybody, without signing in, what closed months were used for; never by under five tenants."""

    site_templates: Path | None = None
    """Folder of site templates (*.toml) that controllers publish: each document once, within a minute."""

    smtp: SmtpSettings | None = None
    """Sends notices by mail; its own settings are below."""
    identity: IdentitySettings | None = None
    """People sign in with the city's identity; its own settings are below."""
    tracing: TracingSettings | None = None
    """Sends traces to an OpenTelemetry collector; its own settings are below."""
    webhook_networks: list[IPvAnyNetwork] = Field(default_factory=list)
    """Networks, such as `10.20.0.0/16`, where webhooks may go beside public addresses; also over http."""

    retention: RetentionSettings = Field(default_factory=RetentionSettings)
    """How long what is kept; its own settings are below."""

    cluster_name: str = Field(default="danang", pattern=r"^[a-z][a-z0-9-]*$")
    """The Dask cluster's name, stored with every job: it must not change while jobs run."""
    dask_enabled: bool = True
    """Whether there is a Dask cluster at all; a portal in front of Slurm alone needs none."""
    slurm: SlurmSettings | None = None
    """A Slurm cluster beside or instead of Dask; its own settings are below."""
    default_cluster: str = ""
    """Takes the jobs that name neither cluster nor partition; default: Slurm where there is one."""
    dask_scheduler: str = ""
    """Address of a Dask scheduler (tcp:// or tls://); empty: one is embedded in the controller."""
    dask_tls_ca: Path | None = None
    """Certificate of the authority that signed those of scheduler and workers (PEM)."""
    dask_tls_cert: Path | None = None
    """The portal's own certificate for the Dask scheduler (PEM)."""
    dask_tls_key: Path | None = None
    """The private key that belongs to it (PEM)."""
    node_name: str = "local"
    """Name of the embedded node."""
    node_cpus: int | None = Field(default=None, ge=1)
    """CPUs that the embedded node offers; default: what the machine has."""
    node_memory_mib: int | None = Field(default=None, ge=64)
    """Memory that the embedded node offers; default: what the machine has."""
    node_gpus: dict[str, int] = Field(default_factory=dict)
    """GPUs of the embedded node by type; empty: found through NVML."""
    node_data_paths: list[Path] = Field(default_factory=list)
    """Folders that every job on the embedded node sees read-only: technology kits, data sets."""
    allow_unisolated_tenants: bool = False
    """Serve several organisations on a node that can neither switch users nor sandbox. Unsafe."""
    partitions: list[PartitionSettings] = Field(
        default_factory=lambda: [PartitionSettings(name="main", is_default=True)]
    )
    """The partitions of the Dask cluster, in the order in which people see them."""
    licenses: dict[str, int] = Field(default_factory=dict)
    """Licence features counted over the cluster, such as `{"vcs": 4}`; at most so many of a server's."""
    license_servers: list[LicenseServerSettings] = Field(default_factory=list)
    """FlexNet servers whose features jobs may ask for; what others use of them is left to them."""
    license_interval_seconds: float = Field(default=60, gt=0)
    """Pause between two looks at the licence servers, which lmstat keeps busy for a moment."""
    node_fail_after_seconds: float = Field(default=120, gt=0)
    """A node unheard of for so long is down, and its jobs end as NODE_FAIL."""
    cluster_uid_base: int = Field(default=0, ge=0)
    """For cluster users without an account on the node: uid = base + the portal user's number. 0: refuse."""

    lease_seconds: float = Field(default=5, gt=0.5)
    """How long a controller that died keeps its jobs from another one, which then needs a second or two."""
    track_interval_seconds: float = Field(default=1.0, gt=0)
    """Longest pause between two looks at a scheduler that pushes no changes; a third while they are short."""
    storage_interval_seconds: float = Field(default=3600.0, gt=0)
    """How old the figure of a project's storage may grow; a tenth of it where fewer than 10,000 files lie."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if sum(partition.is_default for partition in self.partitions) != 1:
            message = "partitions: exactly one must have is_default"
            raise ValueError(message)
        if not self.cluster_names:
            message = "dask_enabled: a portal needs a cluster; set slurm, or leave Dask on"
            raise ValueError(message)
        if len(set(self.cluster_names)) < len(self.cluster_names):
            message = "slurm.cluster_name: must differ from cluster_name"
            raise ValueError(message)
        if self.default_cluster and self.default_cluster not in self.cluster_names:
            message = f"default_cluster: must be one of {', '.join(self.cluster_names)}"
            raise ValueError(message)
        if self.dask_scheduler and urlsplit(self.dask_scheduler).scheme not in {"tcp", "tls"}:
            message = "dask_scheduler: must start with tcp:// or tls://"
            raise ValueError(message)
        tls_files = (self.dask_tls_ca, self.dask_tls_cert, self.dask_tls_key)
        if self.dask_scheduler.startswith("tls://") and not all(tls_files):
            message = "dask_tls_ca, dask_tls_cert, dask_tls_key: a tls:// scheduler needs all three"
            raise ValueError(message)
        if any(tls_files) and self.dask_scheduler.startswith("tcp://"):
            message = "dask_scheduler: must start with tls:// where dask_tls_* are given"
            raise ValueError(message)
        return self

    @property
    def cluster_names(self) -> tuple[str, ...]:
        """Every configured cluster; the one that takes jobs by default comes first."""
        names = [self.slurm.cluster_name] if self.slurm else []
        names += [self.cluster_name] if self.dask_enabled else []
        return tuple(sorted(names, key=lambda name: name != self.default_cluster))

    @property
    def clusters_with_accounts(self) -> frozenset[str]:
        """Clusters whose jobs run as accounts that the site gives out: people need one before they submit."""
        return frozenset({self.slurm.cluster_name} if self.slurm else ())

    @property
    def clusters_with_budgets(self) -> frozenset[str]:
        """Clusters that enforce the budgets held here: their QOS of a job says which one it uses."""
        return frozenset({self.slurm.cluster_name} if self.slurm and self.slurm.mirror_quotas else ())

    @property
    def effective_database_url(self) -> str:
        """The database URL with the default filled in, and our driver where PostgreSQL's names none."""
        scheme, separator, rest = self.database_url.partition("://")
        if scheme in {"postgres", "postgresql"}:
            return f"postgresql+psycopg{separator}{rest}"
        return self.database_url or f"sqlite:///{(self.state_dir / 'portal.db').absolute()}"

    @property
    def effective_attachment_root(self) -> Path:
        """The folder of attachments with the default filled in; absolute."""
        return (self.attachment_root or self.state_dir / "attachments").absolute()

    @property
    def effective_workspace_root(self) -> Path:
        """The workspace root with the default filled in; absolute."""
        return (self.workspace_root or self.state_dir / "workspaces").absolute()
