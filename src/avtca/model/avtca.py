"""The AVT-CA network (Joe Dhanith et al., arXiv 2407.18552), in the order of its figure.

Shape legend: ``b`` batch, ``t_v`` video steps, ``t_a`` audio steps, ``c`` channels, ``h``, ``w``
pixels, ``f`` features, ``d`` token width, ``n_h`` heads.
"""

from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from avtca.clipspec import PITCH_ROWS
from avtca.compat import VARIANTS as OLD_NAMES
from avtca.model.attention import Maps, PassThrough
from avtca.model.audio_statistics import AudioStatisticsHead
from avtca.model.chumachenko2022 import IntermediateAttention, LateTransformer
from avtca.model.config import ModelConfig
from avtca.model.cross_attention import CrossAttention, CrossAttentions
from avtca.model.experts import (
    AuxiliaryHeads,
    MomentsHead,
    NoExpert,
    UtteranceHead,
)
from avtca.model.frontends import AudioFeatures, MissingModality, VideoFeatures, VideoPixels
from avtca.model.head import make_head
from avtca.model.network import FusionNetwork, ModelOutput
from avtca.model.own_network import OwnNetwork
from avtca.model.pooling import pooling
from avtca.model.self_attention import SelfAttention, SelfAttentions, SharedSelfAttention
from avtca.model.spectral_conv import SpectralConv
from avtca.model.streams import present_modalities
from avtca.model.temporal_conv import temporal_convs
from avtca.model.time_encoding import TimeEncoding
from avtca.model.transformer_block import TransformerBlock, TransformerBlocks
from avtca.model.variants import resolved_variant
from avtca.model.video_statistics import VideoStatisticsHead
from avtca.model.video_trunk import video_trunk
from avtca.plugins import is_own


class AVTCA(FusionNetwork):
    """The steps of the figure, run in its order; see :func:`build_model`.

    The order in which modules are made gives the initial weights of a seed, and that of the
    attributes the order of the parameters in a saved optimiser.
    """

    def __init__(self, variant: str, config: ModelConfig) -> None:
        super().__init__()
        self.variant, self.config = variant, config
        choice, n_labels = resolved_variant(variant, config), config.n_labels
        uses_audio = choice.streams != "video" and choice.convolutions
        uses_video = choice.streams != "audio" and choice.convolutions
        self.streams = choice.streams
        self.convolutions = choice.convolutions
        """Whether it has steps 1 to 8; heads on statistics alone read the input otherwise."""
        self.early_fusion = choice.intermediate != "none" and choice.streams == "both"
        """Whether the streams are fused in step 4; auxiliary heads then read them before it."""
        half_v, half_a = len(config.video_widths) // 2, len(config.audio_widths) // 2
        d_v, d_a = config.video_widths[half_v - 1], config.audio_widths[half_a - 1]
        d = config.video_widths[-1]
        attention: dict[str, Any] = {"heads": choice.heads, "dropout": config.dropout}
        normed = {**attention, "norm": choice.residual}
        block = {**attention, "residual": choice.residual, "mlp_ratio": config.mlp_ratio}
        video_convs = partial(temporal_convs, bias=choice.released_convs)
        audio_convs = partial(
            temporal_convs,
            padding="valid" if choice.released_convs else "same",
            pool=choice.audio_pool,
            bias=choice.released_convs,
        )
        nothing: nn.Module = nn.Identity()
        no_expert: nn.Module = NoExpert()

        # Steps 1 to 3
        video: VideoPixels | VideoFeatures | MissingModality = MissingModality(d)
        if uses_video and config.video == "features":
            video = VideoFeatures(
                config.video_dim,
                config.video_widths[0],
                probabilities=config.probabilities,
                utterance_features=config.utterance_features,
            )
        elif uses_video:
            video = VideoPixels(
                video_trunk(**{**choice.trunk, **config.trunk, "channels": config.channels})
            )
        audio: AudioFeatures | MissingModality = MissingModality(d)
        audio_before: nn.Module = nothing
        if uses_audio:
            audio = AudioFeatures(
                config.audio_dim,
                norm=choice.audio_norm,
                n_left_out=PITCH_ROWS if config.pitch else 0,
                stride=config.audio_stride,
            )
            conv2d = choice.audio_frontend == "conv2d"
            widths = config.audio_widths[:half_a]
            audio_before = (
                SpectralConv(audio.width, d_a) if conv2d else audio_convs(audio.width, widths)
            )
        self.video_frontend, self.audio_frontend = video, audio
        self.video_before = (
            video_convs(video.width, config.video_widths[:half_v]) if uses_video else nothing
        )
        self.audio_before = audio_before

        # Experts on one modality
        self.auxiliary, self.audio_statistics = no_expert, no_expert
        self.video_statistics, self.utterance_head = no_expert, no_expert
        if choice.auxiliary:
            before = (d_a, d_v) if self.early_fusion else (d, d)
            self.auxiliary = AuxiliaryHeads(*before, n_labels, dropout=config.dropout)
        if config.pitch:
            level_norm = choice.audio_norm == "level"
            self.audio_statistics = AudioStatisticsHead(
                config.audio_dim, n_labels, level_norm=level_norm
            )
        elif not choice.convolutions or (config.speech and choice.fusion in ("late", "product")):
            self.audio_statistics = MomentsHead(config.audio_dim, n_labels)
        if config.n_segments or not choice.convolutions:
            self.video_statistics = VideoStatisticsHead(
                config.video_dim - config.utterance_features,
                n_labels,
                n_segments=config.n_segments,
                probabilities=config.probabilities,
            )
        if config.utterance_features:
            self.utterance_head = UtteranceHead(config.utterance_features, n_labels)
        self.video_positions = TimeEncoding(d_v) if choice.positions and uses_video else nothing
        self.audio_positions = TimeEncoding(d_a) if choice.positions and uses_audio else nothing

        # Steps 4 and 5
        self.transformer: nn.Module = PassThrough()
        if self.early_fusion and choice.intermediate == "attention":
            self.transformer = IntermediateAttention(d_a, d_v, heads=choice.heads)
        elif self.early_fusion:
            self.transformer = TransformerBlocks(
                TransformerBlock(d_a, d_v, **block), TransformerBlock(d_v, d_a, **block)
            )
        self.video_after = video_convs(d_v, config.video_widths[half_v:]) if uses_video else nothing
        self.audio_after = audio_convs(d_a, config.audio_widths[half_a:]) if uses_audio else nothing

        # Steps 6 and 7
        self.self_attention: nn.Module = PassThrough()
        self.cross_attention: nn.Module = PassThrough()
        if choice.late == "self_cross":
            self.self_attention = SelfAttentions(
                SelfAttention(d, **normed), SelfAttention(d, **normed)
            )
            self.cross_attention = CrossAttentions(
                CrossAttention(d, **normed), CrossAttention(d, **normed), residual=choice.residual
            )
        elif choice.late == "shared_self":
            self.self_attention = SharedSelfAttention(d, **attention)
        elif choice.late == "transformer":
            self.cross_attention = LateTransformer(
                TransformerBlock(d, d, **block), TransformerBlock(d, d, **block)
            )

        # Steps 8 and 9
        self.video_pool = pooling(choice.pooling if uses_video else "max", d)
        self.audio_pool = pooling(choice.pooling if uses_audio else "max", d)
        self.head = make_head(choice.streams, choice.fusion, d, config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        video: Tensor,
        audio: Tensor,
        video_mask: Tensor | None = None,
        audio_mask: Tensor | None = None,
        *,
        return_attention: bool = False,
    ) -> ModelOutput:
        """Predict.

        Values at masked steps have no effect; a missing modality is a mask that is False
        everywhere.

        Args:
            video: ``(b, t_v, c, h, w)`` in 0..1, or features ``(b, t_v, f)``.
            audio: ``(b, f, t_a)``.
            video_mask: bool ``(b, t_v)``, True for real steps; all True by default.
            audio_mask: bool ``(b, t_a)``, the same for audio.
            return_attention: Whether to return attention maps.

        Raises:
            ValueError: For shapes that the network was not built for.
        """
        maps: Maps = {} if return_attention else None

        v = self.video_frontend(video, video_mask)  # steps 1 to 3
        a = self.audio_frontend(audio, audio_mask)
        v = self.video_before(v)  # step 3, convolutions
        a = self.audio_before(a)  # step 1
        present = torch.stack((a.present, v.present), dim=1)
        if not self.convolutions:
            present = present_modalities(video, audio, video_mask, audio_mask)

        experts = self.auxiliary(a, v) if self.early_fusion else {}
        v, a = self.video_positions(v), self.audio_positions(a)
        a, v = self.transformer(a, v, maps)  # step 4
        v = self.video_after(v)  # step 5
        a = self.audio_after(a)
        experts = experts if self.early_fusion else self.auxiliary(a, v)
        experts |= self.audio_statistics(audio, audio_mask)
        experts |= self.video_statistics(video, video_mask)
        experts |= self.utterance_head(video, video_mask)
        a, v = self.self_attention(a, v, maps)  # step 6
        a, v = self.cross_attention(a, v, maps)  # step 7

        from_video = self.dropout(self.video_pool(v))  # step 8
        from_audio = self.dropout(self.audio_pool(a))
        logits = self.head(from_audio, from_video, present, experts)  # step 9
        return ModelOutput(logits, v.tokens, a.tokens, v.mask, a.mask, experts, maps or {})


def build_model(variant: str, config: ModelConfig | None = None, **sizes: Any) -> FusionNetwork:
    """Build an untrained network, in training mode.

    Args:
        variant: Name in :data:`~avtca.model.variants.VARIANTS`, or its name in avtca 0.1; or
            ``package.module:Class`` (:class:`~avtca.model.own_network.OwnNetwork`).
        config: Sizes, by default those of the released code.
        **sizes: Fields of ``config`` to replace.

    Raises:
        ConfigError: For a variant or sizes that do not exist or do not fit together.
    """
    given = (config or ModelConfig()).to_dict()
    full = ModelConfig.from_dict({**given, **sizes})
    if is_own(variant):
        return OwnNetwork(variant, full)
    return AVTCA(OLD_NAMES.get(variant, variant), full)
