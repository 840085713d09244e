"""The compiled core, one way down: arguments, indices, rng, recipe, execution, mask, functions, the binding to C."""
