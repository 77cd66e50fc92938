"""Log-mel settings like those of the demo's network."""

LOG_MEL = {
    "kind": "log_mel",
    "sample_rate": 8000,
    "samples": 8000,
    "window": 256,
    "hop": 160,
    "fft": 256,
    "mels": 32,
    "fmin": 60.0,
    "fmax": 4000.0,
    "mean": 0.0,
    "std": 1.0,
    "floor": 1e-6,
}
