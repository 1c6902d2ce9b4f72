"""The Korean-English synonym dictionary: propose, verify by answer probabilities, calibrate, export."""
