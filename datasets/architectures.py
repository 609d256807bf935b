"""The Keras architectures of the bundled models, with random weights.

Sizes follow MLPerf Tiny (arXiv:2106.07597) and MobileNetV1 (arXiv:1704.04861). Inputs leave the batch open;
the batch is fixed when a model is converted.
"""

import keras
from keras import KerasTensor, layers

DIGITS_SHAPE = (8, 8, 1)
AUTOENCODER_WIDTHS = (128, 128, 128, 128, 8, 128, 128, 128, 128)
RESNET8_STAGES = ((16, 1), (32, 2), (64, 2))


def digits_cnn() -> keras.Model:
    """Classify 8x8 images of digits: three convolutions, one dense layer."""
    return keras.Sequential(
        [
            keras.Input(DIGITS_SHAPE),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def ds_cnn() -> keras.Model:
    """Spot 12 keywords in 49x10 MFCC features by depthwise separable convolutions (arXiv:1711.07128)."""
    image = keras.Input((49, 10, 1))
    x = _normalised(layers.Conv2D(64, (10, 4), 2, padding="same", use_bias=False)(image))
    for _ in range(4):
        x = _normalised(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
        x = _normalised(layers.Conv2D(64, 1, use_bias=False)(x))
    x = layers.Flatten()(layers.AveragePooling2D((25, 5))(x))
    return keras.Model(image, layers.Dense(12, activation="softmax")(x))


def autoencoder() -> keras.Model:
    """Rebuild 640 spectrogram features of a machine sound through a bottleneck of 8."""
    features = keras.Input((640,))
    x = features
    for width in AUTOENCODER_WIDTHS:
        x = _normalised(layers.Dense(width, use_bias=False)(x))
    return keras.Model(features, layers.Dense(640)(x))


def resnet8() -> keras.Model:
    """Classify 32x32 colour images into 10 classes by three residual stages."""
    image = keras.Input((32, 32, 3))
    x = _normalised(layers.Conv2D(16, 3, padding="same", use_bias=False)(image))
    for filters, stride in RESNET8_STAGES:
        y = _normalised(layers.Conv2D(filters, 3, stride, padding="same", use_bias=False)(x))
        y = layers.BatchNormalization()(layers.Conv2D(filters, 3, padding="same", use_bias=False)(y))
        shortcut = x if stride == 1 else layers.Conv2D(filters, 1, stride, padding="same")(x)
        x = layers.ReLU()(layers.Add()([shortcut, y]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def mobilenet_v1_025(size: int, classes: int) -> keras.Model:
    """MobileNetV1 at a quarter of its width, for square colour images of `size` pixels."""
    image = (size, size, 3)
    return keras.applications.MobileNet(input_shape=image, alpha=0.25, weights=None, classes=classes)


def _normalised(x: KerasTensor) -> KerasTensor:
    return layers.ReLU()(layers.BatchNormalization()(x))
