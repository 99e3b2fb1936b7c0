"""Layer 11, the commands: a function for each, with the words and defaults of the public function that it calls."""
