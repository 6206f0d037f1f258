"""A file as the body of a request, or as the first file of a form: taken in as it comes, never held as a whole."""

from collections.abc import AsyncIterator

from litestar import Request
from litestar.datastructures import State
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from domain.errors import Invalid
from infra.imports import files
from services.api.requests import Caller, announced

FORM = "multipart/form-data"
MOST_PARTS = 20
LONGEST_TYPE = 500
ENVELOPE = 100_000  # what a form may put around its file


class Upload:
    """`file_name` is known once the pieces were read."""

    def __init__(self, request: Request[Caller, str, State], *, most: int) -> None:
        self._request = request
        self._most = most
        self.file_name: str | None = None

    def pieces(self) -> AsyncIterator[bytes]:
        """The file, piece by piece. Raises TooLarge where the request announces more, Invalid for a broken form."""
        if announced(self._request) > self._most + ENVELOPE:
            raise files.too_large(self._most)
        media_type = self._request.headers.get("content-type", "")
        if media_type.partition(";")[0].strip().lower() != FORM:
            return self._request.stream()
        return self._of_form(_boundary(media_type))

    async def _of_form(self, boundary: str) -> AsyncIterator[bytes]:
        try:
            parser = PushMultipartParser(boundary, max_segment_count=MOST_PARTS)
            taking = found = False
            async for chunk in self._request.stream():
                for event in parser.parse(chunk) if chunk else ():
                    if isinstance(event, MultipartSegment):
                        taking = not found and event.filename is not None
                        if taking:
                            found, self.file_name = True, event.filename
                    elif event is not None and taking:
                        yield bytes(event)
            parser.close()
        except MultipartError as error:
            raise Invalid("this is no form with a file in it", field="file") from error
        if not found:
            raise Invalid("this form has no file in it", field="file")


def _boundary(media_type: str) -> str:
    """Raises Invalid for a media type longer than any: browsers write 60 characters or so."""
    if len(media_type) > LONGEST_TYPE:
        raise Invalid(f"a media type has at most {LONGEST_TYPE} characters", field="file")
    return str(parse_options_header(media_type)[1].get("boundary", ""))
