"""The engine: functions with derivatives, tensors, the tape and its replay."""
