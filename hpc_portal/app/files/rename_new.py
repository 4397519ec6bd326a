"""Give something its name only if nothing has it yet, in one step: see renameat2(2), RENAME_NOREPLACE."""

import ctypes
import errno
import os
import stat

_RENAME_NOREPLACE = 1
_NOT_HERE = frozenset({errno.EINVAL, errno.ENOSYS})
"""What file systems say that do not know the flag, such as NFS."""
_libc = ctypes.CDLL(None, use_errno=True)


def rename_new(source: str, target: str, *, source_folder: int, target_folder: int) -> None:
    """Rename within one file system, by descriptors of both folders.

    Where the file system cannot do it in one step, a file appears under its new name before it leaves the
    old one; only a folder may then replace an empty one that was made in the same instant.

    Raises:
        FileExistsError: the name is taken, by whatever it is.
        OSError: as rename(2).
    """
    done = _libc.renameat2(
        source_folder, os.fsencode(source), target_folder, os.fsencode(target), _RENAME_NOREPLACE
    )
    if done == 0:
        return
    number = ctypes.get_errno()
    if number not in _NOT_HERE:
        raise OSError(number, os.strerror(number), target)
    if stat.S_ISDIR(os.stat(source, dir_fd=source_folder, follow_symlinks=False).st_mode):
        try:
            os.stat(target, dir_fd=target_folder, follow_symlinks=False)
        except FileNotFoundError:
            os.rename(source, target, src_dir_fd=source_folder, dst_dir_fd=target_folder)
            return
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target)
    os.link(source, target, src_dir_fd=source_folder, dst_dir_fd=target_folder, follow_symlinks=False)
    os.unlink(source, dir_fd=source_folder)
