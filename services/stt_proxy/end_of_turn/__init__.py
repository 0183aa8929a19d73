"""End-of-turn prediction (semantic endpointing): evidence, a predictor, its probability, and the silence to wait for.

`judging.judge` is the way in: what is countable (digits, letters, an expected yes or no) is counted (`countable`);
everything else goes as `evidence.Evidence` to a `predictor.Predictor`, whose probability one curve (`wait_curve`) turns
into the silence to wait for. `train` learns the weights of the words from `talk/`; `sound` and `smart_turn` judge the
voice.
"""
