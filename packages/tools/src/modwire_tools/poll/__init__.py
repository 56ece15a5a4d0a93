"""`modwire poll`: reads the devices of a plant for ever, and hands their values on."""
