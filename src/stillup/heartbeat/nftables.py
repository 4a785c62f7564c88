"""The system's libnftables, called in process, as Debian's python3-nftables does.

Used where rules are made, which is at the start and when somebody removed them. Renewing a
lease goes straight over netlink (``kernel_lease.py``).

Source: libnftables(3).
"""

import ctypes

from stillup.errors import StillupError

_LIBRARY = "libnftables.so.1"


class NftablesRefused(StillupError):
    """libnftables is missing, or the kernel refused the rules."""

    code = "nftables-refused"


class Nftables:
    """libnftables, in the network namespace of this process.

    Raises:
        NftablesRefused: If the library is not installed.
    """

    def __init__(self) -> None:
        try:
            library = ctypes.CDLL(_LIBRARY)
        except OSError as error:
            raise NftablesRefused(
                f"{_LIBRARY} cannot be loaded ({error}); install the package nftables"
            ) from error
        library.nft_ctx_new.restype = ctypes.c_void_p
        library.nft_ctx_new.argtypes = [ctypes.c_uint32]
        library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        library.nft_ctx_get_error_buffer.argtypes = [ctypes.c_void_p]
        library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        for name in ("nft_ctx_buffer_error", "nft_ctx_buffer_output", "nft_ctx_free"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
        self._library = library

    def run(self, commands: str) -> None:
        """Run ``commands`` as one transaction: all of them or none.

        The context lives for this call only: it would keep 2 MB for what happens once a month.

        Raises:
            NftablesRefused: With the first line of what libnftables says.
        """
        library = self._library
        context = library.nft_ctx_new(0)
        try:
            library.nft_ctx_buffer_error(context)
            library.nft_ctx_buffer_output(context)
            if library.nft_run_cmd_from_buffer(context, commands.encode()) == 0:
                return
            said = library.nft_ctx_get_error_buffer(context) or b""
        finally:
            library.nft_ctx_free(context)
        first = said.decode(errors="replace").strip().partition("\n")[0]
        raise NftablesRefused(f"nftables refused the rules of the virtual IP: {first}")
