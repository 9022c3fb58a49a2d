"""croupier.toml + environment → everything: settings, keys, backends."""
