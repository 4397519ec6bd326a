"""How much a waveform may cost the portal: what is above is refused, and the file can still be downloaded."""

MEBIBYTE = 1024**2
MOST_FILE_BYTES = 4096 * MEBIBYTE
MOST_MEMORY_BYTES = 1024 * MEBIBYTE
"""Of the process that reads one file, beside the file itself, which is mapped."""
MOST_REPLY_BYTES = 32 * MEBIBYTE
MOST_VARIABLES = 500_000
MOST_WIDTH = 65_536
"""Bits of a signal that is drawn."""
MOST_SIGNALS = 64
"""Drawn at once."""
MOST_COLUMNS = 2048
"""Pixels across."""
MOST_POINTS = 131_072
"""Of all signals of a window together."""
MOST_TIME = 2**53 - 1
"""What a browser counts exactly."""
MOST_LISTED = 500
LONGEST_SECONDS = 20.0
"""From a question to its answer, waiting for others included."""
LONGEST_CPU_SECONDS = 120
"""Of a reading process in all its life; its successor starts anew."""
IDLE_SECONDS = 120.0
"""Then a reading process ends and gives its memory back."""
MOST_PROCESSES = 4
"""Of each web process."""
MOST_QUESTIONS = 16
"""At once; who comes then is asked to come again."""
MOST_QUESTIONS_OF_A_PROJECT = 8
REFUSED_SECONDS = 60.0
"""So long a file that killed its process is not tried again."""
MOST_OPEN_FILES = 32
NICENESS = 5
