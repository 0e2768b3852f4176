"""The pulse that a listener would tap to, found in the onsets alone: what a file says of its tempo may be anything."""

from __future__ import annotations

import numpy as np

from motet.music.score import Score

_FRAME_S = 0.01
_LISTENED_S = 90.0
_SLOWEST_BPM, _FASTEST_BPM = 30.0, 300.0
_PREFERRED_BPM, _SPREAD_OCTAVES = 120.0, 0.9


def felt_bpm(score: Score) -> float | None:
    """Taps a minute, 30 to 300; None where fewer than four onsets leave nothing to tap to.

    The peak of the autocorrelation of the onsets, each as loud as its velocities, weighted towards 120 a minute on a
    scale of octaves (Ellis, Beat Tracking by Dynamic Programming, 2007, section 3.2). Half and double of a tempo are
    felt by some, so this explains a tempo and does not judge it. Only the first 90 seconds are listened to.
    """
    times = score.seconds(score.onset)
    heard = times < times[0] + _LISTENED_S if len(times) else np.zeros(0, bool)
    if len(np.unique(score.onset[heard])) < 4:
        return None
    frames = np.rint((times[heard] - times[0]) / _FRAME_S).astype(np.int64)
    strength = np.sqrt(np.bincount(frames, weights=score.velocity[heard].astype(np.float64)))
    strength = np.convolve(strength, np.hanning(7), "same")
    strength -= strength.mean()
    size = 2 ** int(np.ceil(np.log2(2 * len(strength))))
    spectrum = np.fft.rfft(strength, size)
    similar = np.fft.irfft(spectrum * spectrum.conj(), size)
    first, last = round(60 / _FASTEST_BPM / _FRAME_S), round(60 / _SLOWEST_BPM / _FRAME_S)
    lags = np.arange(first, min(last, len(strength) - 1) + 1)
    if not len(lags):
        return None
    octaves = np.log2(60 / (lags * _FRAME_S) / _PREFERRED_BPM)
    weighted = similar[lags] * np.exp(-0.5 * (octaves / _SPREAD_OCTAVES) ** 2)
    best = int(np.argmax(weighted))
    lag = float(lags[best])
    if 0 < best < len(lags) - 1:  # the top of the parabola through the peak and its neighbours
        left, top, right = (float(value) for value in similar[lags[best - 1 : best + 2]])
        if left + right < 2 * top:
            lag += float(np.clip((left - right) / (2 * (left + right - 2 * top)), -0.5, 0.5))
    return 60 / (lag * _FRAME_S)
