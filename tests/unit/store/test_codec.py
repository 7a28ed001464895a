"""Documents that older versions stored."""

from trimtab.records import Variant
from trimtab.store.codec import plain, variant_from


def test_variant_stored_before_there_were_layers_is_read() -> None:
    variant = Variant("int8", "onnx", ({"use": "quantize"},), ("quantized",), None)
    document = plain(variant)
    del document["layers"]
    assert variant_from(document) == variant
