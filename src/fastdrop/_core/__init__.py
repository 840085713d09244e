"""The compiled core, one way down: functions, masks, keys, indices, arguments, and the one binding to C."""
