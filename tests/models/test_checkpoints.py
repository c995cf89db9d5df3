"""Invalid checkpoint folders raise a user error."""

import pytest
from transformers import BertConfig

from hpo.errors import UserError
from hpo.models.checkpoints import load_checkpoint


@pytest.mark.parametrize("weights", [None, b"nothing", b"\2\0\0\0\0\0\0\0{}"])
def test_load_checkpoint_of_invalid_folder_raises_user_error(tmp_path, weights):
    config = BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2)
    config.save_pretrained(str(tmp_path))
    if weights is not None:
        (tmp_path / "model.safetensors").write_bytes(weights)
    with pytest.raises(UserError, match="is not a complete token-classification model in safetensors"):
        load_checkpoint(tmp_path)
