"""Golden values of image operations, made with Pillow as torchvision uses it.

    /usr/bin/python3 make_pillow_golden.py > pillow_golden.json

with Debian 12's Pillow 9.4.0; 10.4.0 gave the same bytes.

The operations are those that torchvision's transforms call on Pillow images:
Image.resize(BILINEAR), convert("L"), ImageEnhance, the HSV hue shift,
ImageFilter.GaussianBlur, and the reference's Resize(256), CenterCrop(224),
Resize(64). Pixels are hexadecimal bytes, height x width x 3.
"""

import json
import sys

import numpy as np
import PIL
from PIL import Image, ImageEnhance, ImageFilter, ImageOps


def pattern(height, width):
    """Rough and smooth parts, greys and saturated colours; integers only."""
    y, x, c = np.mgrid[0:height, 0:width, 0:3]
    rough = (y * 37 + x * 101 + c * 53) ^ (y * x * 7)
    smooth = y * 9 + x * 5 + c * 40
    value = np.where((x + y) % 3 == 0, rough, smooth) % 256
    value = np.where((x * 5 + y) % 11 == 0, (y * 23 + x) % 256, value)
    return Image.fromarray(value.astype(np.uint8), "RGB")


def hexadecimal(image):
    return np.asarray(image.convert("RGB")).tobytes().hex()


def adjust_hue(image, factor):
    """torchvision.transforms.functional.adjust_hue (0.7)."""
    h, s, v = image.convert("HSV").split()
    shifted = np.array(h, dtype=np.uint8)
    with np.errstate(over="ignore"):
        shifted += np.uint8(int(factor * 255) & 255)
    return Image.merge("HSV", (Image.fromarray(shifted, "L"), s, v)).convert("RGB")


def preprocess(image):
    """torchvision's Resize(256), CenterCrop(224), Resize(64)."""
    w, h = image.size
    if w < h:
        image = image.resize((256, int(256 * h / w)), Image.BILINEAR)
    else:
        image = image.resize((int(256 * w / h), 256), Image.BILINEAR)
    w, h = image.size
    top, left = int(round((h - 224) / 2.0)), int(round((w - 224) / 2.0))
    image = image.crop((left, top, left + 224, top + 224))
    return image.resize((64, 64), Image.BILINEAR)


def main():
    image = pattern(20, 20)
    operations = {"grayscale": hexadecimal(image.convert("L"))}
    for factor in (0.2, 0.6, 1.0, 1.3, 1.8):
        operations[f"brightness {factor}"] = hexadecimal(
            ImageEnhance.Brightness(image).enhance(factor))
        operations[f"contrast {factor}"] = hexadecimal(
            ImageEnhance.Contrast(image).enhance(factor))
        operations[f"saturation {factor}"] = hexadecimal(
            ImageEnhance.Color(image).enhance(factor))
    for turns in (-0.4, -0.1, 0.0, 0.25, 0.4):
        operations[f"hue {turns}"] = hexadecimal(adjust_hue(image, turns))
    for deviation in (0.03, 0.3, 0.57, 1.0, 2.0, 4.5):
        operations[f"blur {deviation}"] = hexadecimal(
            image.filter(ImageFilter.GaussianBlur(deviation)))

    operations["solarize"] = hexadecimal(ImageOps.solarize(image, 128))

    resizes = []
    for height, width in ((20, 20), (41, 20), (20, 33), (9, 13), (7, 25)):
        resizes.append({"height": height, "width": width, "pixels": hexadecimal(
            image.resize((width, height), Image.BILINEAR))})
    crops = []
    for top, left, height, width in ((3, 5, 12, 11), (0, 0, 19, 20), (10, 2, 1, 18)):
        box = image.crop((left, top, left + width, top + height))
        crops.append({"top": top, "left": left, "height": height, "width": width,
                      "pixels": hexadecimal(box.resize((20, 20), Image.BILINEAR)),
                      "bicubic": hexadecimal(box.resize((20, 20), Image.BICUBIC))})
    shrunk = {"height": 57, "width": 45, "pixels": hexadecimal(
        pattern(57, 45).resize((20, 20), Image.BICUBIC))}
    # The Allen scenes' own size, an upright one, a small and a tiny one.
    references = []
    for height, width in ((918, 1174), (300, 225), (100, 147), (31, 31)):
        references.append({"height": height, "width": width,
                           "every_8th": np.asarray(preprocess(pattern(height, width)))
                           [::8, ::8].tobytes().hex()})
    json.dump({"pillow": PIL.__version__, "numpy": np.__version__, "side": 20,
               "input": hexadecimal(image), "operations": operations,
               "resizes": resizes, "crops": crops, "bicubic_shrunk": shrunk, "preprocess": references},
              sys.stdout, indent=0)
    print()


if __name__ == "__main__":
    main()
