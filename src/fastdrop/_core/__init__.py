"""The compiled core: functions, masks, execution, recipes, keys, indices, arguments, and the one binding to C."""
