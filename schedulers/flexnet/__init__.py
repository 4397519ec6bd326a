"""FlexNet licence servers: what `lmstat -a` says of them."""
