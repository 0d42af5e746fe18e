"""When it is written: the batch, the prefix cache, the times of a stream."""
