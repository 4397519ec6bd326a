"""What is refused of a project's shared files, said in the reader's language."""

from hpc_portal.app import errors as app
from hpc_portal.web.language import Language
from workloads.template import N_


def say_files(error: Exception, language: Language) -> str:
    """The sentence; "" for an error of another kind."""
    say = language.gettext
    match error:
        case app.FileExists() if error.is_folder:
            return say(N_("There is a folder “%(path)s” already. Choose another name."), path=error.path)
        case app.FileExists():
            return say(
                N_("There is a file “%(path)s” already. Choose another name, or ask to overwrite it."),
                path=error.path,
            )
        case app.NoRoomForFile():
            return say(
                N_(
                    "Project %(project)s has %(left)s of its storage left, and the file has %(size)s. Delete "
                    "what nobody needs and have it measured again, or request more storage."
                ),
                project=error.project,
                left=language.size(error.left_bytes),
                size=language.size(error.size_bytes),
            )
        case app.DiskFull():
            return say(
                N_(
                    "The city's file system has no room for the file now. Tell the administrators, and try "
                    "later."
                )
            )
        case app.UploadOutOfStep():
            return say(
                N_("The portal has %(size)s of this upload. Go on from there once nothing else sends."),
                size=language.size(error.received_bytes),
            )
    return ""
