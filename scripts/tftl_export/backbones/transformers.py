"""Takes KerasHub's vision transformers apart, so that they can be cut between their blocks.

In KerasHub most of them have all their blocks in one layer. The tensors that are computed are the
same here; only the layers of the model are other ones.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from .pooled import Tokens

# A stage for this many of the last blocks.
_BLOCKS = (1, 2, 4)


@dataclass(frozen=True)
class Parts:
    """The layers of a vision transformer, in order."""

    embedding: keras.Layer
    blocks: Sequence[keras.Layer]
    end: Sequence[keras.Layer]
    tokens: Tokens | None  # None if its features are a vector


def parts(backbone: keras.Model) -> Parts | None:
    """The layers of one of KerasHub's vision transformers; None for any other backbone."""
    kind = type(backbone).__name__
    if kind == "SigLIPVisionEncoder":
        end = [backbone.post_layer_norm, backbone.head]
        return Parts(backbone.embedding, backbone.encoder_layers, end, None)
    if kind == "ViTBackbone":
        encoder = backbone.get_layer("vit_encoder")
        embedding = backbone.get_layer("vit_patching_and_embedding")
        classified = backbone.use_class_token
        tokens = _tokens(backbone, int(classified), classified)
        return Parts(embedding, encoder.encoder_layers, [encoder.layer_norm], tokens)
    if kind not in ("DINOV2Backbone", "DINOV3Backbone"):
        return None
    tokens = _tokens(backbone, 1 + backbone.num_register_tokens, True)
    blocks = backbone.encoder.layers
    if kind == "DINOV3Backbone":
        images = np.zeros((1, *backbone.image_shape), np.float32)
        at = [np.array(angle) for angle in backbone.rope_embedding(images)]
        blocks = [Rotary(block, at, tokens.before, name=f"rotary_{block.name}") for block in blocks]
    return Parts(backbone.embeddings, blocks, [backbone.layernorm], tokens)


def _tokens(backbone: keras.Model, before: int, classified: bool) -> Tokens:
    height, width = backbone.image_shape[:2]
    size = backbone.patch_size
    rows, columns = (size, size) if isinstance(size, int) else size
    return Tokens(before, classified, (height // rows, width // columns))


class Rotary(keras.layers.Layer):
    """A block of DINOv3 with the rotation of its tokens, which depends on their places alone."""

    def __init__(
        self, block: keras.Layer, at: Sequence[np.ndarray], before: int, **more: Any
    ) -> None:
        """Take the cosines and sines of the patches, and the number of tokens before them."""
        super().__init__(**more)
        self.block = block
        self._at, self._before = at, before
        self.built = True

    def call(self, x: Any) -> Any:
        """Run the block."""
        at = tuple(keras.ops.convert_to_tensor(angle) for angle in self._at)
        return self.block(x, position_embeddings=at, num_prefix_tokens=self._before)

    def compute_output_shape(self, shape: Any) -> Any:
        """Blocks keep the shape."""
        return shape

    def get_config(self) -> dict[str, Any]:
        """What decides the outputs, beside the weights."""
        digest = hashlib.sha256(b"".join(angle.tobytes() for angle in self._at)).hexdigest()
        block = self.block.get_config()
        return {**super().get_config(), "block": block, "at": digest, "before": self._before}


class Shaped(keras.layers.Layer):
    """Passes tokens on, with the shape that they really have."""

    def __init__(self, shape: Sequence[int], **more: Any) -> None:
        """Take the shape without the batch."""
        super().__init__(**more)
        self._shape = tuple(shape)

    def call(self, x: Any) -> Any:
        """Change nothing."""
        return x

    def compute_output_shape(self, shape: Any) -> Any:
        """What was given."""
        return (shape[0], *self._shape)

    def get_config(self) -> dict[str, Any]:
        """What was given."""
        return {**super().get_config(), "shape": self._shape}


def _embedded(embedding: keras.Layer, images: keras.KerasTensor) -> keras.KerasTensor:
    """The tokens of images. SigLIP's embedding in KerasHub 0.32 declares one more than it has."""
    x = embedding(images)
    shape = embedding(np.zeros((1, *images.shape[1:]), np.float32)).shape[1:]
    return x if shape == x.shape[1:] else Shaped(shape, name="tokens")(x)


def assemble(
    parts: Parts, shape: tuple[int, int, int]
) -> tuple[keras.KerasTensor, keras.KerasTensor, dict[str, str | None]]:
    """Connect the parts; returns the input, the output and the cuts, as in table.Backbone.

    Blocks are counted from 1. Stage `block12` trains the network from the twelfth block on.
    """
    images = keras.Input(shape, name="images")
    x = _embedded(parts.embedding, images)
    cuts: dict[str, str | None] = {"all": None}
    for i, block in enumerate(parts.blocks, 1):
        if len(parts.blocks) - i + 1 in _BLOCKS and i > 1:
            # A layer of its own to cut at: that of a block has an output in KerasHub's model too.
            cut = f"below_block{i}"
            x = keras.layers.Identity(name=cut)(x)
            cuts = {f"block{i}": cut, **cuts}
        x = block(x)
    for layer in parts.end:
        x = layer(x)
    return images, x, cuts
