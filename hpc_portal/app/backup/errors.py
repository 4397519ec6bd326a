"""Why a backup cannot be made or restored; each says what to do.

BackupFailed
├── ToolMissing    PostgreSQL's own program is not installed here
├── ToolFailed     it said no
├── NotABackup     no manifest, or a file is not as it says
├── NotEmpty       a backup is restored into an empty place only
└── NotTheSame     what was restored differs from what was saved
"""


class BackupFailed(Exception):
    """Base of all; the message says what to do, and nothing was changed."""


class ToolMissing(BackupFailed):
    """PostgreSQL's own program is not installed here."""


class ToolFailed(BackupFailed):
    """PostgreSQL's own program said no; its last words are in the message."""


class NotABackup(BackupFailed):
    """The folder has no manifest, or a file is not as the manifest says."""


class NotEmpty(BackupFailed):
    """The database has tables: a backup is restored into an empty place only."""


class NotTheSame(BackupFailed):
    """What was restored differs from what was saved; the place must be emptied and the backup looked into."""
