"""The lab's own strictly causal model: three tracked devices in, one pose a frame out, on one CPU core."""
