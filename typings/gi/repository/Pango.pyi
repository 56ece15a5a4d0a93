class EllipsizeMode:
    END: EllipsizeMode
