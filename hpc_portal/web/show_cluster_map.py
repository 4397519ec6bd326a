"""The map of a cluster in the words of its page: a tile for each node, a row for each in its table twin."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from hpc_portal.app.cluster_map import GpuGroup, MapFilter, MappedNode, Use
from hpc_portal.web.language import Language
from hpc_portal.web.words import NODE_STATES, USED, USES, Word
from schedulers.cluster import ClusterSnapshot
from workloads.template import N_

MOST_TILES = 2000
MOST_ROWS = 200
_WIDEST = 16
"""More GPUs than so many are drawn as several groups: app.css knows these widths."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Neighbouring GPUs of which the same is to be said, as one element as wide as they are."""

    use: Use
    count: int
    tip: str
    href: str
    """The job's page; "" where the reader may not see the job, or there is none."""


@dataclass(frozen=True, slots=True)
class ShownJob:
    """A job on a node, for those who may see it."""

    href: str
    name: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One node."""

    name: str
    word: Word
    """Whether it takes jobs."""
    use: Use
    use_word: Word
    partitions: str
    reason: str
    missing_programs: tuple[str, ...]
    cells: tuple[Cells, ...]
    gpus: str
    """`H100: 3 free, 2 mine`; "" where there are none."""
    used_cpus: int
    cpus: int
    cpu_text: str
    memory_text: str
    tip: str
    jobs: tuple[ShownJob, ...]


@dataclass(frozen=True, slots=True)
class Legend:
    """One kind of use, how much of it there is, and the address that shows only that."""

    use: Use
    word: Word
    count: int
    href: str
    is_chosen: bool


@dataclass(frozen=True, slots=True)
class MapAddress:
    """Where the map is, and with which filter."""

    path: str
    wanted: MapFilter
    is_table: bool = False

    def url(self, **changed: str) -> str:
        """The same with some of it changed; "" leaves one out."""
        now = {
            "gpu": self.wanted.gpu,
            "partition": self.wanted.partition,
            "state": str(self.wanted.use or ""),
            "text": self.wanted.text,
            "view": "table" if self.is_table else "",
        }
        query = urlencode({name: value for name, value in {**now, **changed}.items() if value})
        return f"{self.path}?{query}" if query else self.path


@dataclass(frozen=True, slots=True)
class ShownMap:
    """What the page shows of a cluster's nodes."""

    address: MapAddress
    tiles: tuple[Tile, ...]
    total: int
    """Nodes of the cluster."""
    found: int
    """Of these, what the filter keeps; more than there are tiles where a page cannot hold them."""
    counts_gpus: bool
    """Whether the legend counts GPUs, or nodes for want of any."""
    legend: tuple[Legend, ...]
    gpu_types: tuple[str, ...]
    partitions: tuple[str, ...]


def show_map(
    snapshot: ClusterSnapshot,
    nodes: Sequence[MappedNode],
    address: MapAddress,
    language: Language,
    *,
    sees_all: bool = False,
) -> ShownMap:
    """The map in the page's words; who sees all has no projects of their own to tell from others'."""
    words = USES | {Use.PROJECT: USED} if sees_all else USES
    kept = [mapped for mapped in nodes if address.wanted.keeps(mapped)]
    counts_gpus = any(node.gpus for node in snapshot.nodes)
    counted: Counter[Use] = Counter()
    for mapped in nodes:
        counted += mapped.counts() if counts_gpus else Counter([mapped.use])
    shown = kept[: MOST_ROWS if address.is_table else MOST_TILES]
    return ShownMap(
        address=address,
        tiles=tuple(_tile(mapped, words, language) for mapped in shown),
        total=len(nodes),
        found=len(kept),
        counts_gpus=counts_gpus,
        legend=tuple(
            Legend(
                use=use,
                word=words[use],
                count=counted[use],
                href=address.url(state="" if use is address.wanted.use else use),
                is_chosen=use is address.wanted.use,
            )
            for use in Use
        ),
        gpu_types=tuple(sorted({name for node in snapshot.nodes for name in node.gpus})),
        partitions=tuple(partition.name for partition in snapshot.partitions),
    )


def _tile(mapped: MappedNode, words: Mapping[Use, Word], language: Language) -> Tile:
    node = mapped.node
    cpu_text = f"{language.number(node.allocated_cpus)} / {language.number(node.cpus)}"
    memory_text = f"{language.memory(node.allocated_memory_mib)} / {language.memory(node.memory_mib)}"
    word = NODE_STATES[node.state]
    facts = [
        language.text(word.text),
        f"CPU {cpu_text}",
        f"{language.gettext(N_('Memory'))} {memory_text}",
        ", ".join(mapped.partitions),
        node.reason,
    ]
    return Tile(
        name=node.name,
        word=word,
        use=mapped.use,
        use_word=words[mapped.use],
        partitions=", ".join(mapped.partitions),
        reason=node.reason,
        missing_programs=tuple(sorted(node.missing_programs)),
        cells=tuple(cell for group in mapped.groups for cell in _cells(group, words, language)),
        gpus=_say_gpus(mapped, words, language),
        used_cpus=node.allocated_cpus,
        cpus=node.cpus,
        cpu_text=cpu_text,
        memory_text=memory_text,
        tip=" · ".join(fact for fact in facts if fact),
        jobs=tuple(ShownJob(f"/jobs/{job_id}", name) for job_id, name in mapped.jobs.items()),
    )


def _cells(group: GpuGroup, words: Mapping[Use, Word], language: Language) -> list[Cells]:
    gpus = f"{group.count} GPU {group.type.upper()}".strip()
    said = [gpus, language.text(words[group.use].text), group.job_name]
    tip = " · ".join(part for part in said if part)
    href = f"/jobs/{group.job_id}" if group.job_id else ""
    whole, rest = divmod(group.count, _WIDEST)
    return [Cells(group.use, count, tip, href) for count in [_WIDEST] * whole + [rest] * bool(rest)]


def _say_gpus(mapped: MappedNode, words: Mapping[Use, Word], language: Language) -> str:
    parts = []
    for gpu_type in sorted(mapped.node.gpus):
        counts: Counter[Use] = Counter()
        for group in mapped.groups:
            if group.type == gpu_type:
                counts[group.use] += group.count
        said = (f"{counts[use]} {language.text(words[use].text).lower()}" for use in Use if counts[use])
        parts.append(f"{_name(gpu_type)}: {', '.join(said)}")
    return "; ".join(parts)


def _name(gpu_type: str) -> str:
    return gpu_type.upper() or "GPU"
