"""Draws the picture of the first mailing, so that no image file has to be shipped."""

from io import BytesIO

from django.contrib.auth.models import AbstractBaseUser
from django.core.files.images import ImageFile
from PIL import Image, ImageDraw
from wagtail.images import get_image_model
from wagtail.images.models import AbstractImage

TITLE = "Spring hills"
# Twice the width of a mail, for sharp screens.
_WIDTH, _HEIGHT = 1072, 420
_SKY_TOP, _SKY_BOTTOM = (255, 214, 165), (253, 240, 213)
_HILLS = (((143, 190, 163), 250, 0), ((86, 152, 130), 300, 340), ((38, 104, 99), 350, 120))


def get_picture(owner: AbstractBaseUser) -> AbstractImage:
    """Return the picture from the image library; the first caller puts it there."""
    model = get_image_model()
    known = model.objects.filter(title=TITLE).first()
    if known is not None:
        return known
    return model.objects.create(
        title=TITLE,
        description="Green hills under a morning sky",
        uploaded_by_user=owner,
        file=ImageFile(_drawn(), name="spring-hills.png"),
    )


def _drawn() -> BytesIO:
    picture = Image.new("RGB", (_WIDTH, _HEIGHT))
    draw = ImageDraw.Draw(picture)
    for y in range(_HEIGHT):
        draw.line(((0, y), (_WIDTH, y)), fill=_mixed(y / _HEIGHT))
    draw.ellipse((730, 60, 880, 210), fill=(244, 132, 95))
    for colour, top, shift in _HILLS:
        draw.ellipse((shift - 500, top, shift + 420, top + 700), fill=colour)
        draw.ellipse((shift + 150, top + 30, shift + 1200, top + 800), fill=colour)
    stream = BytesIO()
    picture.save(stream, "PNG", optimize=True)
    stream.seek(0)
    return stream


def _mixed(share: float) -> tuple[int, ...]:
    return tuple(
        round(top + (bottom - top) * share) for top, bottom in zip(_SKY_TOP, _SKY_BOTTOM, strict=True)
    )
